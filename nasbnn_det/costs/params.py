"""Parameters of an architecture by precision: what a deployed network has to store."""
from dataclasses import dataclass
from typing import TYPE_CHECKING, Optional

if TYPE_CHECKING:
    from ..arch.arch import Arch

# Per channel: RPReLU's shift, slope and shift; batch norm's weight and bias.
_AFTER_CONV = 3 + 2


@dataclass(frozen=True)
class Params:
    """Numbers of learned values by precision.

    Args:
        bits1 (int): Binary weights.
        bits8 (int): Weights of the stem.
        bits32 (int): Everything else: shifts, slopes, batch norms, quantisation steps, classifier.
    """
    bits1: int
    bits8: int
    bits32: int

    @property
    def total(self) -> int:
        """Number of all values, whatever their precision."""
        return self.bits1 + self.bits8 + self.bits32

    @property
    def bytes(self) -> float:
        """Size of all values at their precision."""
        return self.bits1 / 8 + self.bits8 + 4 * self.bits32

    def __add__(self, other: 'Params') -> 'Params':
        return Params(self.bits1 + other.bits1, self.bits8 + other.bits8, self.bits32 + other.bits32)


def count_params(arch: 'Arch', num_classes: Optional[int] = None) -> Params:
    """Parameters of a deployed architecture; matrices that only shape binary weights in training are not counted.

    Args:
        arch (Arch): The architecture.
        num_classes (int, optional): Counts the linear classifier too; ``None`` counts the backbone alone.
    """
    channels = arch.stages[0][0].channels
    bits1, bits8 = 0, 9 * 3 * channels
    bits32 = channels * (_AFTER_CONV + 1)  # + 1: the step of the 8-bit weights
    for blocks in arch.stages[1:]:
        for block in blocks:
            out = block.channels
            bits1 += block.kernel**2 * channels // block.groups1 * channels + channels // block.groups2 * out
            bits32 += 2 * channels + _AFTER_CONV * (channels + out)  # 2: RSign before each convolution
            channels = out
    if num_classes:
        bits32 += num_classes * (channels + 1)
    return Params(bits1, bits8, bits32)
