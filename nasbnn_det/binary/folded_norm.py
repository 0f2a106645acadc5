"""Batch norm folded into a factor and a summand per channel, and what its gradients are in terms of sums over all pixels."""
from dataclasses import dataclass
from typing import Any, Callable, Optional, Tuple

import torch
import torch.distributed as dist
from torch import Tensor, nn


@dataclass
class Folded:
    """What a forward pass leaves to the backward pass; all of double precision and shape (C, ).

    Args:
        scale (Tensor): a: the batch norm's input is a * z. Also of shape ().
        mean (Tensor): Of a * z.
        inverse (Tensor): One over its deviation.
        gamma (Tensor): The batch norm's weight.
    """
    scale: Tensor
    mean: Tensor
    inverse: Tensor
    gamma: Tensor


class FoldedNorm:
    """A batch norm over the first channels of a layer's, for one call.

    Args:
        norm (BatchNorm2d): The layer; with an attribute ``sync`` that is true, statistics are those of all processes.
        channels (int): C.
        shape (tuple[int]): Of the map, (N, C, H, W).

    Raises:
        ValueError: If statistics are to be taken of a single pixel.
    """

    def __init__(self, norm: nn.BatchNorm2d, channels: int, shape: Tuple[int, ...]) -> None:
        self.running = norm.running_mean[:channels], norm.running_var[:channels]
        self.training, self.momentum, self.eps = norm.training, norm.momentum, norm.eps
        self.count = float(shape[0] * shape[2] * shape[3])
        self._reduce: Optional[Callable[[Tensor], Any]] = None
        if not self.training:
            return
        norm.num_batches_tracked.add_(1)
        if getattr(norm, 'sync', False) and dist.is_available() and dist.is_initialized():
            self._reduce = dist.all_reduce
        elif self.count == 1:
            raise ValueError(f'Expected more than 1 value per channel when training, got input size {tuple(shape)}')

    def fold(self, sums: Tensor, scale: Tensor, gamma: Tensor) -> Folded:
        """Takes the statistics and, in training, updates the layer's.

        Args:
            sums (Tensor): Of z and of its squares, double, shape (2, C).
            scale (Tensor): a, double, shape (C, ) or ().
            gamma (Tensor): Shape (C, ).
        """
        if not self.training:
            mean, var = (value.double() for value in self.running)
        else:
            if self._reduce is not None:
                sums = torch.cat([sums.flatten(), sums.new_tensor([self.count])])
                self._reduce(sums)
                self.count, sums = float(sums[-1]), sums[:-1].view(2, -1)
            mean, square = sums / self.count
            var = (square - mean.square()).clamp_(min=0) * scale.square()
            mean = mean * scale
            unbiased = var * (self.count / (self.count - 1))
            for running, value in zip(self.running, (mean, unbiased)):
                running.lerp_(value.to(running.dtype), self.momentum)
        return Folded(scale, mean, (var + self.eps).rsqrt(), gamma.double())

    @staticmethod
    def affine(folded: Folded, beta: Tensor, bias_in: Tensor) -> Tuple[Tensor, Tensor]:
        """Factor and summand, float: ``bn(a * z) + bias_in`` is factor * z + summand."""
        factor = folded.gamma * folded.inverse
        return (factor * folded.scale).float(), (beta.double() - factor * folded.mean + bias_in.double()).float()

    def backward(self, folded: Folded, of_d: Tensor, of_dz: Tensor) -> Tuple[Tensor, Tuple[Tensor, Tensor, Tensor]]:
        """Gradients, where d is that of the batch norm's output.

        Args:
            folded (Folded): Of the forward pass.
            of_d (Tensor): Sum of d over all pixels, double, shape (C, ).
            of_dz (Tensor): Likewise of d * z.

        Returns:
            tuple: The gradient of gamma; and three vectors k, l, m: that of a * z is k * d + l * z + m.
        """
        grad_gamma = folded.inverse * (folded.scale * of_dz - folded.mean * of_d)
        k = folded.gamma * folded.inverse
        if not self.training:
            return grad_gamma, (k, torch.zeros_like(k), torch.zeros_like(k))
        # The batch's mean and deviation depend on z too.
        all_d, all_gamma = of_d, grad_gamma
        if self._reduce is not None:
            both = torch.stack([of_d, grad_gamma])
            self._reduce(both)
            all_d, all_gamma = both
        along = k * folded.inverse * all_gamma / self.count
        return grad_gamma, (k, -along * folded.scale, along * folded.mean - k * all_d / self.count)
