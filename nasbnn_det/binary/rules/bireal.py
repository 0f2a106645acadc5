"""Bi-Real Net (arXiv 1808.00278, Sec. 3) and ReActNet (arXiv 2003.03488, Sec. 4.2): a closer gradient of the sign."""
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from ..binarization import BINARIZATIONS, ActivationRule, Binarization, WeightRule, register_rule
from ..sign import sign_activation, sign_weight
from ..weight import mean_magnitude


@register_rule
@dataclass(frozen=True)
class QuadraticSign(ActivationRule):
    """The gradient is that of a piecewise quadratic: ``2 - 2|x|`` on [-1, 1], else 0."""
    type: ClassVar[str] = 'quadratic'
    kernel: ClassVar[str] = 'quadratic'

    def sign(self, x: Tensor, progress: float, **parameters: Tensor) -> Tensor:
        return sign_activation(x)


@register_rule
@dataclass(frozen=True)
class MagnitudeWeights(WeightRule):
    """Sign times mean magnitude; the box gradient of the sign alone."""
    type: ClassVar[str] = 'magnitude'

    def sign(self, weight: Tensor, progress: float) -> Tensor:
        return sign_weight(weight)

    def scale(self, weight: Tensor) -> Tensor:
        return mean_magnitude(weight.detach())


BINARIZATIONS['bireal'] = lambda: Binarization(MagnitudeWeights(), QuadraticSign(), shift='none')
BINARIZATIONS['reactnet'] = lambda: Binarization(MagnitudeWeights(), QuadraticSign())
