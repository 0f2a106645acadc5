"""Nothing is binarised: the full-precision counterpart, with plain convolutions in the same places."""
from dataclasses import dataclass
from typing import ClassVar

from ..binarization import BINARIZATIONS, ActivationRule, Binarization, WeightRule, register_rule


@register_rule
@dataclass(frozen=True)
class FloatWeights(WeightRule):
    """Weights as they are; layers are plain ``nn.Conv2d``."""
    type: ClassVar[str] = 'float'


@register_rule
@dataclass(frozen=True)
class FloatActivations(ActivationRule):
    """Activations as they are."""
    type: ClassVar[str] = 'float'


BINARIZATIONS['float'] = lambda: Binarization(FloatWeights(), FloatActivations(), shift='none')
