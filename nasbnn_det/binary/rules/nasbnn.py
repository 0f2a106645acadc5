"""NAS-BNN (arXiv 2408.15484, Sec. 3): filters are transformed and standardised before their sign."""
from dataclasses import dataclass, replace
from typing import ClassVar, Optional, Tuple

import torch
from torch import Tensor

from ..binarization import BINARIZATIONS, Binarization, WeightRule, register_rule
from ..sign import sign_weight
from ..weight import mean_magnitude, standardize_weight, standardized_signs, transform_kernel
from .bireal import QuadraticSign


@register_rule
@dataclass(frozen=True)
class NASBNNWeights(WeightRule):
    """Bi-Transformation, weight normalisation, sign times mean magnitude. No gradient goes through the magnitude.

    Args:
        bi_transform (bool): A learned matrix multiplies each flattened filter of a square kernel larger than 1, of the
            largest kernel of its place. Defaults to False.
        standardize (bool): Each filter gets mean 0 and deviation 1. Defaults to True.
    """
    type: ClassVar[str] = 'nasbnn'
    bi_transform: bool = False
    standardize: bool = True

    def matrix(self, kernel_size: Tuple[int, int]) -> Optional[Tensor]:
        square = kernel_size[0] == kernel_size[1] > 1
        return torch.eye(kernel_size[0]**2) if self.bi_transform and square else None

    def without_matrix(self) -> 'NASBNNWeights':
        return replace(self, bi_transform=False)

    def prepare(self, weight: Tensor, matrix: Optional[Tensor] = None) -> Tensor:
        weight = _transformed(weight, matrix)
        return standardize_weight(weight) if self.standardize else weight

    def sign(self, weight: Tensor, progress: float) -> Tensor:
        return sign_weight(weight)

    def scale(self, weight: Tensor) -> Tensor:
        return mean_magnitude(weight.detach())

    def signs_and_scale(self, weight: Tensor, matrix: Optional[Tensor], progress: float) -> Tuple[Tensor, Optional[Tensor]]:
        if not self.standardize:
            return super().signs_and_scale(weight, matrix, progress)
        return standardized_signs(_transformed(weight, matrix))


def _transformed(weight: Tensor, matrix: Optional[Tensor]) -> Tensor:
    return weight if matrix is None else transform_kernel(weight, matrix)


#: NAS-BNN to the letter: its supernets and found backbones.
BINARIZATIONS['nasbnn'] = lambda: Binarization(NASBNNWeights(bi_transform=True), QuadraticSign())
#: The same without matrices: every other layer of this project.
BINARIZATIONS['standardized'] = lambda: Binarization(NASBNNWeights(), QuadraticSign())
