"""8-bit weights for the few layers that stay real-valued: the stem and the predictors.

Learned step size quantisation (LSQ, arXiv 1902.08153) with one step per output channel.
"""
from typing import Any, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .set_once import SetOnce

_QMIN, _QMAX = -128, 127
#: Smallest step, float32's eps whatever the precision.
_EPS = torch.finfo(torch.float32).eps


def initial_step(weight: Tensor) -> Tensor:
    """Quantisation step that covers three standard deviations of each output channel.

    Args:
        weight (Tensor): Shape (O, I, k, k).

    Returns:
        Tensor: ``max(|mean - 3 std|, |mean + 3 std|) / 128``, shape (O, ).
    """
    flat = weight.detach().flatten(1)
    mean = flat.mean(1)
    spread = 3 * flat.std(1) if flat.shape[1] > 1 else torch.zeros_like(mean)
    return torch.maximum((mean - spread).abs(), (mean + spread).abs()) / 128


def quantize_weight(weight: Tensor, step: Tensor) -> Tensor:
    """Rounds a weight to 8 bits: ``s * clamp(round(w / s), -128, 127)``.

    Rounding passes the gradient; the gradient of the step is scaled by ``1 / sqrt(numel * 127)``.

    Args:
        weight (Tensor): Shape (O, I, k, k).
        step (Tensor): One step per output channel, shape (O, ); one below float eps counts as eps and has no gradient,
            see :meth:`QuantConv2d.current_step`.

    Returns:
        Tensor: Shape (O, I, k, k).
    """
    levels, step = quantization_levels(weight, step)
    return levels * step


def quantization_levels(weight: Tensor, step: Tensor) -> Tuple[Tensor, Tensor]:
    """The two factors of :func:`quantize_weight`'s result.

    Args:
        weight (Tensor): Shape (O, I, k, k).
        step (Tensor): Shape (O, ).

    Returns:
        tuple[Tensor, Tensor]: Whole numbers from -128 to 127, shape (O, I, k, k), and the step that was used, shape
        (O, 1, 1, 1).
    """
    gradient_scale = (weight.numel() * _QMAX)**-0.5
    step = step.clamp(min=_EPS).view(-1, 1, 1, 1)
    # Value of the step, gradient scaled.
    step = (step - step * gradient_scale).detach() + step * gradient_scale
    return _Round.apply(weight / step).clamp(_QMIN, _QMAX), step


class _Round(torch.autograd.Function):
    """Rounds and passes the gradient. The result is whole to the last bit, so that clamping finds the ends exactly."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.round()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return grad


class QuantConv2d(SetOnce, nn.Conv2d):
    """Convolution with float activations and 8-bit weights; further arguments as in ``nn.Conv2d``.

    The learned step is set from the weights at the first training forward and trained from then on. Until then it
    follows the weights, so that an untrained layer computes something sensible too. A step is some thousandths, and Adam
    moves every parameter by about its learning rate, so that it drives some below zero: they are put back to float eps
    before each training forward, outside the graph, where their gradient lives and brings them back. Under Adam a step
    should have a far smaller rate than the weights, or it jumps by its own size in each iteration.

    Raises:
        ValueError: If ``padding_mode`` is not 'zeros'.
    """

    #: Bits of a weight and of an activation, read by reports and by packing.
    weight_bits = 8
    activation_bits = 32

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.padding_mode != 'zeros':
            raise ValueError(f"padding_mode is '{self.padding_mode}'; QuantConv2d allows 'zeros' only")
        self.step = nn.Parameter(torch.ones(self.out_channels))

    def current_step(self) -> Tensor:
        """The step in use, shape (out_channels, ); sets it at the first training forward, and keeps it positive."""
        if not self.training:
            return self.step if self.is_set() else initial_step(self.weight)
        with torch.no_grad():
            if not self.is_set():
                self.step.copy_(initial_step(self.weight))
                self.mark_set()
            # By .data: a head calls this several times a forward, and no graph may see the change.
            self.step.data.clamp_(min=_EPS)
        return self.step

    def quantized_weight(self) -> Tensor:
        """The weight the convolution uses, shape of ``weight``."""
        return quantize_weight(self.weight, self.current_step())

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.quantized_weight(), self.bias, self.stride, self.padding, self.dilation, self.groups)
