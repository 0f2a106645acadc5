"""The MMEngine side: loops, hooks, optimisers, evaluation of subnets, work shared by processes."""
