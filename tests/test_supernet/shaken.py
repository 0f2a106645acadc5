"""Networks with nothing at its neutral start, so that a parameter left out is noticed."""
import torch


@torch.no_grad()
def shake(net, seed=0):
    """Randomises shifts, slopes, matrices and batch norm statistics in place; returns the network."""
    generator = torch.Generator().manual_seed(seed)

    def noise(t, std):
        return torch.randn(t.shape, generator=generator) * std

    for name, p in net.named_parameters():
        if name.endswith(('slope', 'bn.weight', 'bias', 'bias_in', 'bias_out', 'transform')) or '.shrink.' in name:
            p.add_(noise(p, 0.2))
    for name, b in net.named_buffers():
        if name.endswith('running_mean'):
            b.copy_(noise(b, 0.5))
        elif name.endswith('running_var'):
            b.copy_(noise(b, 1.0).abs() + 0.5)
        elif name.endswith('num_batches_tracked'):
            b.fill_(7)
    return net
