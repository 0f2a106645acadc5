"""Where every map lies in the one static block of memory: two share a place if they are never needed at once."""
from dataclasses import dataclass, field
from typing import Dict, List, Tuple

from .graph import Deliver, Graph


class _Item:
    """Something that needs memory from step ``first`` on: ``sizes[i]`` floats or words at step ``first + i``."""

    def __init__(self, size: int, first: int, last: int, *keys: Tuple[str, int]) -> None:
        self.first = first
        self.sizes = [size] * (last - first + 1)
        self.keys = list(keys)

    def continued(self, size: int, last: int, key: Tuple[str, int]) -> None:
        """From the last step on, what lies here is another map, which takes the place of the one before."""
        self.sizes[-1] = max(self.sizes[-1], size)
        self.sizes += [size] * (last - self.first - len(self.sizes) + 1)
        self.keys.append(key)

    def while_both(self, other: '_Item') -> List[Tuple[int, int]]:
        """Sizes of the two at each step at which both are needed."""
        steps = range(max(self.first, other.first), min(self.first + len(self.sizes), other.first + len(other.sizes)))
        return [(self.sizes[i - self.first], other.sizes[i - other.first]) for i in steps]


@dataclass
class Arena:
    """Places, counted in floats or words of 4 bytes.

    Args:
        maps (dict[int, int]): Where each map begins among the floats.
        floats_of (dict[int, int]): Where the float scratch of each step begins.
        words_of (dict[int, int]): Where its words begin among the words.
        scores (int): Where the candidates' scores lie among the floats.
        codes (int): Where the candidates' codes lie among the words.
        floats (int): Floats in all.
        words (int): Words in all.
    """
    maps: Dict[int, int] = field(default_factory=dict)
    floats_of: Dict[int, int] = field(default_factory=dict)
    words_of: Dict[int, int] = field(default_factory=dict)
    scores: int = 0
    codes: int = 0
    floats: int = 0
    words: int = 0

    @property
    def size(self) -> int:
        """Bytes."""
        return 4 * (self.floats + self.words)


def plan_arena(graph: Graph, candidates: int = 0, kept: Tuple[int, ...] = ()) -> Arena:
    """Gives everything its place.

    Args:
        graph (Graph): The network.
        candidates (int): A detector's, at most; they live from the first level that is delivered to the end.
        kept (tuple[int]): Maps that are read after the last step.

    Returns:
        Arena: The places; the largest things are placed first, each at the lowest place that is free while it lives.
    """
    end = len(graph.steps)
    last = {index: i for i, step in enumerate(graph.steps) for index in step.sources}
    last.update({index: end for index in kept})
    owner: Dict[int, _Item] = {}
    floats: List[_Item] = []
    words: List[_Item] = []
    for i, step in enumerate(graph.steps):
        scratch = step.scratch(graph.maps)
        if scratch.floats:
            floats.append(_Item(scratch.floats, i, i, ('scratch', i)))
        if scratch.words:
            words.append(_Item(scratch.words, i, i, ('scratch', i)))
        if step.target is None:
            continue
        size, until, over = graph.maps[step.target].values, last.get(step.target, i), step.overwrites(graph.maps)
        if over is not None and last[over] == i:
            owner[step.target] = owner[over]
            owner[over].continued(size, until, ('map', step.target))
        else:
            owner[step.target] = _Item(size, i, until, ('map', step.target))
            floats.append(owner[step.target])
    if candidates:
        first = next(i for i, step in enumerate(graph.steps) if isinstance(step, Deliver))
        floats.append(_Item(candidates, first, end, ('candidates', 0)))
        words.append(_Item(candidates, first, end, ('candidates', 0)))
    float_places, float_total = _place(floats)
    word_places, word_total = _place(words)
    return Arena(
        maps={index: at for (kind, index), at in float_places.items() if kind == 'map'},
        floats_of={index: at for (kind, index), at in float_places.items() if kind == 'scratch'},
        words_of={index: at for (kind, index), at in word_places.items() if kind == 'scratch'},
        scores=float_places.get(('candidates', 0), 0), codes=word_places.get(('candidates', 0), 0),
        floats=float_total, words=word_total)


def _place(items: List[_Item]) -> Tuple[Dict[Tuple[str, int], int], int]:
    placed: List[Tuple[int, _Item]] = []
    places: Dict[Tuple[str, int], int] = {}
    total = 0
    for item in sorted(items, key=lambda item: (-max(item.sizes), item.first)):
        near = [(begin, both) for begin, both in ((begin, item.while_both(other)) for begin, other in placed) if both]
        free = sorted({0, *(begin + size for begin, both in near for _, size in both)})
        at = next(at for at in free if all(at + ours <= begin or begin + theirs <= at
                                           for begin, both in near for ours, theirs in both))
        placed.append((at, item))
        places.update({key: at for key in item.keys})
        total = max(total, at + max(item.sizes))
    return places, total
