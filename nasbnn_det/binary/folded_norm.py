"""The batch norm of a fused pass: whose statistics it takes, and its vectors as the kernels read them."""
from typing import Optional, Tuple

import torch
import torch.distributed as dist
from torch import Tensor, nn

from ..native.training import Norm


class FoldedNorm:
    """A batch norm over the first channels of a layer's, for one call, or none.

    Args:
        norm (Module, optional): The layer; with an attribute ``sync`` that is true, statistics are those of all processes.
            None changes nothing.
        shape (tuple[int]): Of the map, (N, C, H, W).

    Raises:
        ValueError: If statistics are to be taken of a single pixel.
    """

    def __init__(self, norm: Optional[nn.Module], shape: Tuple[int, ...]) -> None:
        self._channels, self._count = shape[1], 0.0
        self._momentum, self._eps, self._sync = 0.0, 0.0, False
        self._running = {}
        if norm is None:
            return
        self._momentum, self._eps = norm.momentum, norm.eps
        self._running = dict(running_mean=norm.running_mean, running_var=norm.running_var)
        if not norm.training:
            return
        norm.num_batches_tracked.add_(1)
        self._count = float(shape[0] * shape[2] * shape[3])
        self._sync = getattr(norm, 'sync', False) and dist.is_available() and dist.is_initialized()
        if self._count == 1 and not self._sync:
            raise ValueError(f'Expected more than 1 value per channel when training, got input size {tuple(shape)}')

    def _native(self, scale: Optional[Tensor], vectors: Tuple[Optional[Tensor], ...]) -> Norm:
        names = ('gamma', 'beta', 'bias_in', 'slope', 'bias_out')
        return Norm(self._channels, self._count, self._momentum, self._eps, scale=scale, **self._running,
                    **dict(zip(names, vectors)))

    def fold(self, sums: Tensor, scale: Optional[Tensor], vectors: Tuple[Optional[Tensor], ...]) -> Tuple[Tensor, Tensor]:
        """Takes the statistics and, in training, updates the layer's.

        Args:
            sums (Tensor): Of z and of its squares, double, shape (2, C).
            scale (Tensor, optional): a, if the batch norm's input is a * z, shape (C, ).
            vectors (tuple): gamma, beta, bias_in, slope and bias_out, shape (C, ) or longer, or None.

        Returns:
            tuple[Tensor, Tensor]: As :meth:`nasbnn_det.native.training.Norm.fold`.
        """
        if self._sync:
            sums = torch.cat([sums.flatten(), sums.new_tensor([self._count])])
            dist.all_reduce(sums)
            self._count = float(sums[-1])
        return self._native(scale, vectors).fold(sums)

    def terms(self, state: Tensor, sums: Tensor, gamma: Optional[Tensor]) -> Tuple[Tensor, Tensor]:
        """Gradients, as :meth:`nasbnn_det.native.training.Norm.terms`."""
        all_sums = sums
        if self._sync:
            all_sums = sums[:2].clone()
            dist.all_reduce(all_sums)
        return self._native(None, (gamma, )).terms(state, sums, all_sums)
