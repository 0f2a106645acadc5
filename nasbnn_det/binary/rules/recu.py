"""ReCU (arXiv 2103.12369): weights in the tails, which no gradient turns any more, are pulled back."""
import math
from dataclasses import dataclass
from typing import ClassVar, Optional

from torch import Tensor

from ..binarization import BINARIZATIONS, Binarization, WeightRule, register_rule
from ..sign import sign_with_gradient
from ..weight import mean_magnitude, standardize_weight
from .bireal import QuadraticSign


@register_rule
@dataclass(frozen=True)
class ReCUWeights(WeightRule):
    """Standardised filters, clamped to their quantiles 1 - tau and tau (the rectified clamp unit), then their sign.

    Quantiles are those of a Laplace distribution: ``-b ln(2 - 2 tau)``, b the mean magnitude (Sec. 3.3). Inside them the
    gradient passes as it is. The clamp turns no sign and the scale is taken before it, so that a trained network does not
    depend on tau. tau grows linearly with the training here.

    Args:
        tau_start (float): tau at first. Defaults to 0.85.
        tau_end (float): tau at last. Defaults to 0.99.
    """
    type: ClassVar[str] = 'recu'
    annealed: ClassVar[bool] = True
    tau_start: float = 0.85
    tau_end: float = 0.99

    def prepare(self, weight: Tensor, matrix: Optional[Tensor] = None) -> Tensor:
        return standardize_weight(weight)

    def sign(self, weight: Tensor, progress: float) -> Tensor:
        tau = self.tau_start + progress * (self.tau_end - self.tau_start)
        bound = -math.log(2 - 2 * tau) * mean_magnitude(weight.detach()).view(-1, 1, 1, 1)
        return sign_with_gradient(weight, lambda w: (w.abs() <= bound).to(w.dtype))

    def scale(self, weight: Tensor) -> Tensor:
        return mean_magnitude(weight.detach())


BINARIZATIONS['recu'] = lambda: Binarization(ReCUWeights(), QuadraticSign(), shift='none')
