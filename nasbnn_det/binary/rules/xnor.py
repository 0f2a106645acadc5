"""XNOR-Net (arXiv 1603.05279, Sec. 3): signs times the mean magnitude, which is part of the graph."""
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from ..binarization import BINARIZATIONS, Binarization, WeightRule, register_rule
from ..sign import sign_weight
from ..weight import mean_magnitude
from .bnn import BoxSign


@register_rule
@dataclass(frozen=True)
class XNORWeights(WeightRule):
    """Sign times mean magnitude; the gradient goes through both (Sec. 3.1, "Training Binary-Weights-Networks")."""
    type: ClassVar[str] = 'xnor'

    def sign(self, weight: Tensor, progress: float) -> Tensor:
        return sign_weight(weight)

    def scale(self, weight: Tensor) -> Tensor:
        return mean_magnitude(weight)


#: The input's own scales K are left out, as in XNOR-Net++ (arXiv 1909.13863) and later work: they cost a float convolution.
BINARIZATIONS['xnor'] = lambda: Binarization(XNORWeights(), BoxSign(), shift='none')
