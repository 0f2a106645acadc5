"""Functions run in two processes over gloo, as torchrun would start them."""
import os

import pytest
import torch
import torch.multiprocessing as mp


def in_two_processes(function, tmp_path, *args):
    """Runs ``function(rank, *args)`` in two gloo processes; gives what each returned."""
    mp.start_processes(_entry, (function, str(tmp_path), args), nprocs=2, start_method='spawn')
    return [torch.load(tmp_path / f'result{rank}.pt', weights_only=True) for rank in range(2)]


def _entry(rank, function, folder, args):
    torch.set_num_threads(1)
    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE='2')
    torch.distributed.init_process_group('gloo', init_method=f'file://{folder}/rendezvous', rank=rank, world_size=2)
    try:
        torch.save(function(rank, *args), f'{folder}/result{rank}.pt')
    finally:
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()


@pytest.fixture
def one_thread():
    """As many threads as the two processes have: rounding depends on how a sum is split."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class KeepsGradients(torch.optim.SGD):
    """Copies the gradients it is given before they are zeroed."""

    def step(self, closure=None):
        self.seen = [None if p.grad is None else p.grad.clone() for g in self.param_groups for p in g['params']]
        super().step(closure)
