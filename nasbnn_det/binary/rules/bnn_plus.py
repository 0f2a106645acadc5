"""BNN+ (arXiv 1812.11800, Sec. 3.1): a smooth gradient of the sign, whose sharpness can be learned."""
from dataclasses import dataclass
from typing import Any, ClassVar, Dict, Tuple

import torch
from torch import Tensor

from ..binarization import ActivationRule, register_rule
from ..sign import sign


class _SwishSign(torch.autograd.Function):
    """Forward: sign. Backward: derivatives of ``2 s(b x) (1 + b x (1 - s(b x))) - 1`` by x and by b, s the sigmoid."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, beta: Tensor) -> Tensor:
        ctx.save_for_backward(x, beta)
        return sign(x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tuple[Tensor, Tensor]:
        x, beta = ctx.saved_tensors
        z = beta * x
        s = z.sigmoid()
        # The derivative by z; z grows by beta where x does, and by x where beta does.
        by_z = grad * 2 * s * (1 - s) * (2 + z * (1 - 2 * s))
        return by_z * beta, (by_z * x).sum().view_as(beta)


@register_rule
@dataclass(frozen=True)
class SwishSign(ActivationRule):
    """SignSwish's gradient; each layer learns its own sharpness.

    Args:
        beta (float): Sharpness at first. Defaults to 5.
    """
    type: ClassVar[str] = 'swish'
    beta: float = 5.0

    def parameters(self) -> Dict[str, Tensor]:
        return dict(beta=torch.full((1, ), self.beta))

    def sign(self, x: Tensor, progress: float, **parameters: Tensor) -> Tensor:
        return _SwishSign.apply(x, parameters['beta'])
