"""The plain binary network, BNN (arXiv 1602.02830, Sec. 1): signs alone, straight through."""
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from ..binarization import BINARIZATIONS, ActivationRule, Binarization, WeightRule, register_rule
from ..sign import sign_weight


@register_rule
@dataclass(frozen=True)
class SignWeights(WeightRule):
    """Signs without a scale; the gradient is 1 on [-1, 1], else 0.

    The paper also clips latent weights to [-1, 1] after each update. Here they may leave the interval and then keep their
    sign, as their gradient is 0 there.
    """
    type: ClassVar[str] = 'bnn'

    def sign(self, weight: Tensor, progress: float) -> Tensor:
        return sign_weight(weight)


@register_rule
@dataclass(frozen=True)
class BoxSign(ActivationRule):
    """The straight-through gradient: 1 on [-1, 1], else 0."""
    type: ClassVar[str] = 'box'
    kernel: ClassVar[str] = 'box'

    def sign(self, x: Tensor, progress: float, **parameters: Tensor) -> Tensor:
        return sign_weight(x)


BINARIZATIONS['bnn'] = lambda: Binarization(SignWeights(), BoxSign(), shift='none')
