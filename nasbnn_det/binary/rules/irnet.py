"""IR-Net (arXiv 1909.10788): balanced weights (Libra-PB, Sec. 3.2), and a gradient that sharpens (EDE, Sec. 3.3)."""
import math
from dataclasses import dataclass
from typing import ClassVar, Optional

from torch import Tensor

from ..binarization import BINARIZATIONS, ActivationRule, Binarization, WeightRule, register_rule
from ..sign import sign_with_gradient
from ..weight import mean_magnitude, standardize_weight


def ede_gradient(x: Tensor, progress: float) -> Tensor:
    """Derivative of ``k tanh(t x)``, with t from 0.1 to 10 by equal factors and ``k = max(1 / t, 1)``.

    Args:
        x (Tensor): Any shape.
        progress (float): Of the training, 0 to 1.
    """
    t = 0.1 * 100**progress
    return max(1 / t, 1.0) * t * (1 - (t * x).tanh().square())


@register_rule
@dataclass(frozen=True)
class IRNetWeights(WeightRule):
    """Filters of mean 0 and deviation 1; signs times the power of two nearest to the mean magnitude."""
    type: ClassVar[str] = 'irnet'
    annealed: ClassVar[bool] = True

    def prepare(self, weight: Tensor, matrix: Optional[Tensor] = None) -> Tensor:
        return standardize_weight(weight)

    def sign(self, weight: Tensor, progress: float) -> Tensor:
        return sign_with_gradient(weight, lambda w: ede_gradient(w, progress))

    def scale(self, weight: Tensor) -> Tensor:
        return (mean_magnitude(weight.detach()).log() / math.log(2)).round().exp2()


@register_rule
@dataclass(frozen=True)
class EDESign(ActivationRule):
    """The error decay estimator: a gradient close to 1 everywhere at first, close to the sign's own at last."""
    type: ClassVar[str] = 'ede'
    annealed: ClassVar[bool] = True

    def sign(self, x: Tensor, progress: float, **parameters: Tensor) -> Tensor:
        return sign_with_gradient(x, lambda values: ede_gradient(values, progress))


BINARIZATIONS['irnet'] = lambda: Binarization(IRNetWeights(), EDESign(), shift='none')
