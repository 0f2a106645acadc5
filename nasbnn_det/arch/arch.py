"""An architecture: the only form in which one travels between configs, checkpoints and files."""
import json
from dataclasses import dataclass
from typing import Any, Dict, Iterator, List, Sequence, Tuple, Union

import numpy as np

from .space import SearchSpace
from .spaces import get_space


@dataclass(frozen=True)
class Block:
    """One block's choices: output channels, kernel, groups of the k x k and of the 1 x 1 convolution."""
    channels: int
    kernel: int = 3
    groups1: int = 1
    groups2: int = 1


@dataclass(frozen=True)
class Arch:
    """A legal architecture of a search space. Equal by value and hashable.

    Args:
        space (SearchSpace): The space it belongs to; a name or a table is resolved.
        stages (tuple[tuple[Block]]): Blocks per stage; stage 0 is the stem.

    Raises:
        ValueError: If a choice is not in the space or breaks the non-decreasing rule; the message names
            the place, the value and what is allowed.
    """
    space: SearchSpace
    stages: Tuple[Tuple[Block, ...], ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, 'space', get_space(self.space))
        object.__setattr__(self, 'stages', tuple(tuple(blocks) for blocks in self.stages))
        self._validate()

    def _validate(self) -> None:
        space = self.space
        if len(self.stages) != len(space.stages):
            raise ValueError(f"illegal architecture: {len(self.stages)} stages, space '{space.name}' has "
                             f'{len(space.stages)}')
        before = 0
        for i, (spec, blocks) in enumerate(zip(space.stages, self.stages)):
            if len(blocks) not in spec.depths:
                raise ValueError(f"illegal architecture: stage {i} has {len(blocks)} blocks, space '{space.name}' "
                                 f'allows {list(spec.depths)}')
            for j, block in enumerate(blocks):
                for name, allowed in (('channels', spec.channels), ('kernel', spec.kernels),
                                      ('groups1', spec.groups1), ('groups2', spec.groups2)):
                    if type(getattr(block, name)) is not int or getattr(block, name) not in allowed:
                        raise ValueError(f'illegal architecture: stage {i}, block {j}: {name} '
                                         f"{getattr(block, name)} is not among {list(allowed)} of space "
                                         f"'{space.name}'")
                if space.non_decreasing and block.channels < before:
                    raise ValueError(f'illegal architecture: stage {i}, block {j}: {block.channels} channels after '
                                     f"{before}, but space '{space.name}' allows no block narrower than the one "
                                     'before it')
                before = block.channels

    @property
    def stage_channels(self) -> Tuple[int, ...]:
        """Output channels of each stage."""
        return tuple(blocks[-1].channels for blocks in self.stages)

    def __str__(self) -> str:
        stages = (' '.join(f'{b.channels}k{b.kernel}g{b.groups1}' + (f'/{b.groups2}' if b.groups2 > 1 else '')
                           for b in blocks) for blocks in self.stages)
        return f'{self.space.name}[' + ' | '.join(stages) + ']'

    # Ways in and out.

    def to_dict(self) -> Dict[str, Any]:
        """JSON-ready form. Its space is there in full: a name would be another network once its table changes."""
        return dict(space=self.space.to_dict(), stages=self.stages_to_list())

    def stages_to_list(self) -> List[List[Dict[str, int]]]:
        """JSON-ready form of the stages alone, for files that say the space once; :meth:`from_stages` reads it."""
        return [[dict(channels=b.channels, kernel=b.kernel, groups1=b.groups1, groups2=b.groups2)
                 for b in blocks] for blocks in self.stages]

    @classmethod
    def from_dict(cls, data: Dict[str, Any]) -> 'Arch':
        """Inverse of :meth:`to_dict`.

        Raises:
            ValueError: If a key is missing or unknown, or the architecture is illegal.
        """
        if not isinstance(data, dict) or not {'space', 'stages'} <= set(data):
            raise ValueError(f"an architecture needs the keys 'space' and 'stages'; got {_shorten(data)}")
        return cls.from_stages(get_space(data['space']), data['stages'])

    @classmethod
    def from_stages(cls, space: SearchSpace, stages: Sequence[Sequence[Dict[str, int]]]) -> 'Arch':
        """Inverse of :meth:`stages_to_list`.

        Raises:
            ValueError: If a key is missing or unknown, or the architecture is illegal.
        """
        try:
            blocks = tuple(tuple(Block(**block) for block in blocks) for blocks in stages)
        except TypeError as error:
            raise ValueError('an architecture\'s stages are lists of blocks with the keys channels, kernel, groups1, '
                             f'groups2; got {_shorten(stages)}') from error
        return cls(space, blocks)

    def to_json(self) -> str:
        """One line of JSON, the same for equal architectures."""
        return json.dumps(self.to_dict())

    @classmethod
    def from_json(cls, text: str) -> 'Arch':
        """Inverse of :meth:`to_json`."""
        return cls.from_dict(json.loads(text))

    @classmethod
    def from_release(cls, rows: Sequence, space: Union[str, SearchSpace, Sequence]) -> 'Arch':
        """Reads the public release's form of an architecture.

        Args:
            rows: Rows of six (stage, block, channels, kernel, groups1, groups2), or all their numbers in one
                flat sequence. Rows whose stage is -1 are absent blocks.
            space: The space as :func:`get_space` takes it.

        Raises:
            ValueError: If the numbers make no rows of six, or the architecture is illegal.
        """
        flat = np.asarray(rows).reshape(-1).tolist()
        if len(flat) % 6:
            raise ValueError(f'a release candidate has rows of six numbers; got {len(flat)} numbers')
        space = get_space(space)
        stages: List[List[Block]] = [[] for _ in space.stages]
        for i in range(0, len(flat), 6):
            stage, block, *choices = (int(x) for x in flat[i:i + 6])
            if stage < 0:
                continue
            if stage >= len(stages) or block != len(stages[stage]):
                raise ValueError(f'illegal architecture: row {i // 6} is block {block} of stage {stage}, which does '
                                 f"not follow the rows before it in space '{space.name}'")
            stages[stage].append(Block(*choices))
        return cls(space, tuple(tuple(blocks) for blocks in stages))

    # Members of a space.

    @classmethod
    def smallest(cls, space: SearchSpace) -> 'Arch':
        """Narrowest, shallowest, smallest kernels, most groups."""
        stages, before = [], 0
        for i, s in enumerate(space.stages):
            before = space.allowed_channels(i, before)[0]
            stages.append((Block(before, s.kernels[0], s.groups1[-1], s.groups2[-1]), ) * s.depths[0])
        return cls(space, tuple(stages))

    @classmethod
    def biggest(cls, space: SearchSpace) -> 'Arch':
        """Widest, deepest, largest kernels, fewest groups."""
        return cls(space, tuple((Block(s.channels[-1], s.kernels[-1], s.groups1[0], s.groups2[0]), ) * s.depths[-1]
                                for s in space.stages))

    @classmethod
    def random(cls, space: SearchSpace, rng: np.random.Generator) -> 'Arch':
        """Draws choice by choice, each uniform among what the choices before it leave legal.

        This is the distribution NAS-BNN trains with: in the space 'imagenet' its median is 123M OPs. Under
        ND it prefers wide networks; drawing uniformly among all networks would give a median of 95M.
        """
        stages, before = [], 0
        for i, spec in enumerate(space.stages):
            blocks = []
            for _ in range(_choose(rng, spec.depths)):
                before = _choose(rng, space.allowed_channels(i, before))
                blocks.append(
                    Block(before, _choose(rng, spec.kernels), _choose(rng, spec.groups1),
                          _choose(rng, spec.groups2)))
            stages.append(tuple(blocks))
        return cls(space, tuple(stages))

    def neighbours(self) -> Iterator['Arch']:
        """All legal architectures that differ in one choice of one block, or by one block of one stage."""
        for i, (spec, blocks) in enumerate(zip(self.space.stages, self.stages)):
            for j, block in enumerate(blocks):
                for name, choices in (('channels', spec.channels), ('kernel', spec.kernels),
                                      ('groups1', spec.groups1), ('groups2', spec.groups2)):
                    for value in choices:
                        if value != getattr(block, name):
                            changed = Block(**{**block.__dict__, name: value})
                            yield from self._legal(i, blocks[:j] + (changed, ) + blocks[j + 1:])
            if len(blocks) + 1 in spec.depths:
                for j in (j for j in range(len(blocks)) if not j or blocks[j] != blocks[j - 1]):
                    yield from self._legal(i, blocks[:j + 1] + (blocks[j], ) + blocks[j + 1:])
            if len(blocks) - 1 in spec.depths:
                for j in (j for j in range(len(blocks)) if not j or blocks[j] != blocks[j - 1]):
                    yield from self._legal(i, blocks[:j] + blocks[j + 1:])

    def _legal(self, stage: int, blocks: Tuple[Block, ...]) -> Iterator['Arch']:
        """This architecture with one stage replaced, where that is legal."""
        widths = [b.channels for s in (self.stages[:stage] + (blocks, ) + self.stages[stage + 1:]) for b in s]
        if not self.space.non_decreasing or widths == sorted(widths):
            yield Arch(self.space, self.stages[:stage] + (blocks, ) + self.stages[stage + 1:])


def _choose(rng: np.random.Generator, values: Sequence[int]) -> int:
    return values[int(rng.integers(len(values)))]


def _shorten(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 120 else text[:117] + '...'
