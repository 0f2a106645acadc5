"""Batch norm recalibration: a subnet's own statistics instead of those all architectures shared."""
from contextlib import contextmanager
from typing import Iterable, Iterator

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


@contextmanager
def collecting_statistics(model: nn.Module) -> Iterator[None]:
    """Inside, batch norms average their statistics cumulatively; afterwards all modes are as before."""
    norms = [m for m in model.modules() if isinstance(m, _BatchNorm)]
    was = [(m, m.training) for m in model.modules()]
    momenta = [m.momentum for m in norms]
    model.eval()
    for norm in norms:
        norm.train()
        norm.reset_running_stats()
        norm.momentum = None  # cumulative average
    try:
        yield
    finally:
        for module, training in was:
            module.training = training
        for norm, momentum in zip(norms, momenta):
            norm.momentum = momentum


@torch.no_grad()
def recalibrate_bn(model: nn.Module, batches: Iterable[Tensor]) -> None:
    """Resets the statistics of every batch norm and averages them over some batches.

    Only the layers of ``model`` run: give the backbone alone, not a detector with its head.

    Args:
        model (nn.Module): Called as ``model(batch)``; its weights and modes stay as they are.
        batches (Iterable[Tensor]): Images of shape (N, 3, H, W), each seen once.

    Raises:
        ValueError: If there is no batch.
    """
    seen = 0
    with collecting_statistics(model):
        for images in batches:
            model(images)
            seen += 1
    if not seen:
        raise ValueError('batch norm recalibration needs at least one batch of images, got none')
