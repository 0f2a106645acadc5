"""Drawing architectures: into a window of OPs, by mutation, by crossover. All results are legal."""
from dataclasses import dataclass, replace
from typing import Callable, List, Optional, Tuple

import numpy as np

from ..arch import Arch, Block, SearchSpace, StageSpec


class InfeasibleWindowError(ValueError):
    """No architecture of the space has OPs in the window."""


@dataclass(frozen=True)
class OpsWindow:
    """A closed interval of OPs, plain counts.

    Args:
        low (float): Fewest OPs allowed.
        high (float): Most OPs allowed.

    Raises:
        ValueError: If the bounds are negative or in the wrong order.
    """
    low: float
    high: float

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.high:
            raise ValueError(f'OPs window {self} is empty; it needs 0 <= low <= high')

    def __contains__(self, ops: float) -> bool:
        return self.low <= ops <= self.high

    def distance(self, ops: float) -> float:
        """How far outside the window ``ops`` lies; 0 inside."""
        return max(self.low - ops, ops - self.high, 0)

    def __str__(self) -> str:
        return f'{self.low / 1e6:.2f}M to {self.high / 1e6:.2f}M'


def repair(stages: List[List[Block]], space: SearchSpace) -> Arch:
    """Makes widths legal under the non-decreasing rule by widening, never narrowing.

    Args:
        stages (list[list[Block]]): Blocks of legal choices per stage.
        space (SearchSpace): The space.

    Returns:
        Arch: The nearest legal architecture with no block narrower than asked for.
    """
    before, out = 0, []
    for i, blocks in enumerate(stages):
        row = []
        for block in blocks:
            before = min(c for c in space.allowed_channels(i, before) if c >= block.channels) \
                if space.non_decreasing else block.channels
            row.append(Block(before, block.kernel, block.groups1, block.groups2))
        out.append(tuple(row))
    return Arch(space, tuple(out))


def mutate(arch: Arch, rng: np.random.Generator, probability: float = 0.2) -> Arch:
    """Redraws each choice with some probability (arXiv 2408.15484, Sec. 3.3: 0.2).

    Widths are redrawn among what the neighbours on both sides leave legal, depths by dropping or repeating
    blocks at random places; so any legal architecture can be reached, and only legal ones are.

    Args:
        arch (Arch): Parent, not changed.
        rng (np.random.Generator): Source of randomness.
        probability (float): Of redrawing each choice. Defaults to 0.2.

    Returns:
        Arch: The mutant; may equal its parent.
    """
    stages = [list(blocks) for blocks in arch.stages]
    for spec, blocks in zip(arch.space.stages, stages):
        if rng.random() < probability:
            _redraw_depth(blocks, int(rng.choice(spec.depths)), rng)
    places = [(i, j) for i, blocks in enumerate(stages) for j in range(len(blocks))]
    for k, (i, j) in enumerate(places):
        block = stages[i][j]
        low = _width(stages, places, k - 1) if arch.space.non_decreasing else 0
        high = _width(stages, places, k + 1) if arch.space.non_decreasing else float('inf')
        stages[i][j] = _redraw_block(block, arch.space.stages[i], low, high, rng, probability)
    return Arch(arch.space, tuple(tuple(blocks) for blocks in stages))


def _width(stages: List[List[Block]], places: List[Tuple[int, int]], k: int) -> float:
    if k < 0:
        return 0
    if k >= len(places):
        return float('inf')
    i, j = places[k]
    return stages[i][j].channels


def _redraw_block(block: Block, spec: StageSpec, low: float, high: float, rng: np.random.Generator,
                  probability: float) -> Block:
    widths = [c for c in spec.channels if low <= c <= high]
    redraw = rng.random(4) < probability
    return Block(
        int(rng.choice(widths)) if redraw[0] else block.channels,
        int(rng.choice(spec.kernels)) if redraw[1] else block.kernel,
        int(rng.choice(spec.groups1)) if redraw[2] else block.groups1,
        int(rng.choice(spec.groups2)) if redraw[3] else block.groups2)


def _redraw_depth(blocks: List[Block], depth: int, rng: np.random.Generator) -> None:
    while len(blocks) > depth:
        del blocks[int(rng.integers(len(blocks)))]
    while len(blocks) < depth:
        at = int(rng.integers(len(blocks)))
        blocks.insert(at, blocks[at])


def crossover(first: Arch, second: Arch, rng: np.random.Generator) -> Arch:
    """Takes each stage from either parent; where the seam breaks the rule, widths are repaired by widening.

    Args:
        first (Arch): Parent.
        second (Arch): Parent of the same space.
        rng (np.random.Generator): Source of randomness.

    Returns:
        Arch: The child.
    """
    take = rng.random(len(first.stages)) < 0.5
    return repair([list(a if t else b) for t, a, b in zip(take, first.stages, second.stages)], first.space)


def sample_in_window(space: SearchSpace, window: OpsWindow, count: Callable[[Arch], float],
                     rng: np.random.Generator, tries: int = 60) -> Arch:
    """Draws a random architecture whose OPs lie in the window.

    A legal architecture, random or where that fails an extreme one, is walked, by random single changes that come
    nearer, towards a target drawn uniformly from the window. So narrow windows far from the median are reached as
    well, which rejection of random draws would practically never hit.

    Args:
        space (SearchSpace): The space.
        window (OpsWindow): Allowed OPs.
        count (Callable): ``count(arch)`` gives OPs.
        rng (np.random.Generator): Source of randomness.
        tries (int): Walks before the window counts as infeasible. Defaults to 60.

    Raises:
        InfeasibleWindowError: If no walk ends in the window; names the nearest OPs found.
    """
    smallest, biggest = count(Arch.smallest(space)), count(Arch.biggest(space))
    low, high = max(window.low, smallest), min(window.high, biggest)
    nearest = smallest if window.high < smallest else biggest
    if low <= high:
        best: Optional[float] = None
        for i in range(tries):
            start = (Arch.random(space, rng), Arch.smallest(space), Arch.biggest(space))[i % 3]
            arch, ops = _walk(start, OpsWindow(low, high), count, rng)
            if ops in window:
                return arch
            if best is None or window.distance(ops) < window.distance(best):
                best = ops
        nearest = nearest if best is None else best
    raise InfeasibleWindowError(
        f"no architecture of space '{space.name}' was found with OPs in the window {window}; the nearest has "
        f'{nearest / 1e6:.2f}M, and the space reaches from {smallest / 1e6:.2f}M to {biggest / 1e6:.2f}M')


def _walk(arch: Arch, window: OpsWindow, count: Callable[[Arch], float], rng: np.random.Generator,
          steps: int = 400) -> Tuple[Arch, float]:
    target = rng.uniform(window.low, window.high)
    ops = count(arch)
    for _ in range(steps):
        if ops in window and abs(ops - target) <= 0.02 * target:
            break
        child = _change_one(arch, rng)
        child_ops = count(child)
        if abs(child_ops - target) < abs(ops - target):
            arch, ops = child, child_ops
    return arch, ops


def _change_one(arch: Arch, rng: np.random.Generator) -> Arch:
    """Redraws a single choice; under the non-decreasing rule the widths before and after give way."""
    stages = [list(blocks) for blocks in arch.stages]
    i = int(rng.integers(len(stages)))
    spec, blocks = arch.space.stages[i], stages[i]
    name = ('depth', 'channels', 'channels', 'kernel', 'groups1', 'groups2')[int(rng.integers(6))]
    if name == 'depth':
        _redraw_depth(blocks, int(rng.choice(spec.depths)), rng)
        return Arch(arch.space, tuple(tuple(blocks) for blocks in stages))
    j = int(rng.integers(len(blocks)))
    choices = dict(channels=spec.channels, kernel=spec.kernels, groups1=spec.groups1, groups2=spec.groups2)[name]
    blocks[j] = replace(blocks[j], **{name: int(rng.choice(choices))})
    if name == 'channels' and arch.space.non_decreasing:
        _narrow_before(stages, arch.space, i, j)
    return repair(stages, arch.space)


def _narrow_before(stages: List[List[Block]], space: SearchSpace, stage: int, block: int) -> None:
    """Narrows the blocks before a place to its width, as far as their stages' choices allow."""
    limit = stages[stage][block].channels
    for i in range(stage, -1, -1):
        for j in range(len(stages[i]) if i < stage else block):
            allowed = [c for c in space.stages[i].channels if c <= limit] or [space.stages[i].channels[0]]
            stages[i][j] = replace(stages[i][j], channels=min(stages[i][j].channels, allowed[-1]))
