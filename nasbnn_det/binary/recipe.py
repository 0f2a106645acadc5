"""How a map in training is made again in the backward pass, instead of being kept: from the brick before it.

Only every third map of bricks in a row is kept. The others follow from it by what their convolutions gave, which is kept
anyway, and element-wise work.
"""
from dataclasses import dataclass, field
from typing import List, NamedTuple, Optional, Tuple

from torch import Tensor

from ..native import training
from ..native.training import Tail, in_order
from .shortcut import shortcut

#: Bricks in a row that keep no input of their own.
_DEPTH = 2


class Link(NamedTuple):
    """How a map was made of the one before it: by :func:`nasbnn_det.native.training.finish`."""
    z: Tensor
    vectors: Tensor
    stride: Optional[int]  # of the shortcut; None: there is none


@dataclass
class Recipe:
    """How to make a map again: from a map that is kept, by some links."""
    start: Optional[Tensor]
    links: List[Link] = field(default_factory=list)
    version: int = 0

    @classmethod
    def of(cls, x: Tensor) -> 'Recipe':
        """The one that the brick before left, unless the map was changed since."""
        recipe = getattr(x, 'nasbnn_recipe', None)
        return recipe if recipe is not None and recipe.version == x._version else cls(in_order(x.detach()))

    def leave(self, y: Tensor, link: Link) -> None:
        """Tells the next brick how its input is made."""
        if len(self.links) < _DEPTH:
            y.nasbnn_recipe = Recipe(self.start, [*self.links, link], y._version)

    def tensors(self) -> List[Tensor]:
        """What has to be kept."""
        kept = [] if self.start is None else [self.start]
        return [*kept, *(t for link in self.links for t in (link.z, link.vectors))]

    def plan(self) -> Tuple[bool, List[Optional[int]]]:
        """All else that :func:`make` needs."""
        return self.start is not None, [link.stride for link in self.links]


def make(plan: Tuple[bool, List[Optional[int]]], tensors: List[Tensor]) -> Tensor:
    """Makes a map by a recipe, of whose tensors it takes its own from the list."""
    has_start, strides = plan
    x = tensors.pop(0) if has_start else None
    for stride in strides:
        z, vectors = tensors.pop(0), tensors.pop(0)
        x = training.finish(Tail(z, shortcut_map(x, stride, z.shape[1]), vectors))
    return x


def shortcut_map(x: Optional[Tensor], stride: Optional[int], out_channels: int) -> Optional[Tensor]:
    """The shortcut before its channels are repeated."""
    return None if stride is None else in_order(shortcut(x, min(x.shape[1], out_channels), stride))
