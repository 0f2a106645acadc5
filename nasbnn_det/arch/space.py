"""Search spaces: which architectures may be chosen.

A space is a table with a row per stage (arXiv 2408.15484, Sec. 4): channels, depths, kernels, groups of
the k x k and of the 1 x 1 convolution, stride of the first block. Stage 0 is the stem. Under the
non-decreasing rule (ND) no block is narrower than the one before it.
"""
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Dict, List, Sequence, Tuple


@dataclass(frozen=True)
class StageSpec:
    """The choices of one stage.

    Args:
        channels (tuple[int]): Output channels of a block, ascending.
        depths (tuple[int]): Numbers of blocks, ascending.
        kernels (tuple[int]): Odd kernel sizes of the k x k convolution, ascending.
        groups1 (tuple[int]): Groups of the k x k convolution, ascending.
        groups2 (tuple[int]): Groups of the 1 x 1 convolution, ascending.
        stride (int): Stride of the first block.

    Raises:
        ValueError: If a row is empty, unsorted, repeated or not positive, or a kernel is even.
    """
    channels: Tuple[int, ...]
    depths: Tuple[int, ...]
    kernels: Tuple[int, ...]
    groups1: Tuple[int, ...]
    groups2: Tuple[int, ...]
    stride: int

    def __post_init__(self) -> None:
        for name in ('channels', 'depths', 'kernels', 'groups1', 'groups2'):
            values = tuple(getattr(self, name))
            object.__setattr__(self, name, values)
            if not values or any(not isinstance(v, int) or v < 1 for v in values):
                raise ValueError(f'{name} is {values}; a stage needs one or more positive integers there')
            if list(values) != sorted(set(values)):
                raise ValueError(f'{name} is {values}; a stage needs ascending values without repeats')
        if any(k % 2 == 0 for k in self.kernels):
            raise ValueError(f'kernels is {self.kernels}; only odd kernel sizes keep the image size')
        if not isinstance(self.stride, int) or self.stride < 1:
            raise ValueError(f'stride is {self.stride!r}; a stage needs a positive integer')

    @property
    def block_choices(self) -> int:
        """Number of choices a block has beside its channels."""
        return len(self.kernels) * len(self.groups1) * len(self.groups2)


@dataclass(frozen=True)
class SearchSpace:
    """A named table of stages. Equal by value and hashable.

    Args:
        name (str): Name in files and messages.
        stages (tuple[StageSpec]): Stage 0 is the stem: one block, one kernel, no groups.
        non_decreasing (bool): The ND rule. Defaults to True.

    Raises:
        ValueError: If a stage cannot follow the one before it: channels not divisible by groups, or under
            ND no wider choice left.
    """
    name: str
    stages: Tuple[StageSpec, ...]
    non_decreasing: bool = True

    def __post_init__(self) -> None:
        stages = tuple(self.stages)
        object.__setattr__(self, 'stages', stages)
        if not isinstance(self.name, str) or not isinstance(self.non_decreasing, bool):
            raise ValueError(f'a space has a text as its name and non_decreasing is True or False; got {self.name!r} and '
                             f'{self.non_decreasing!r}')
        if len(stages) < 2:
            raise ValueError(f"space '{self.name}' has {len(stages)} stages; a space needs a stem and one more")
        stem = stages[0]
        if stem.depths != (1, ) or stem.kernels != (3, ) or stem.groups1 != (1, ) or stem.groups2 != (1, ):
            raise ValueError(f"space '{self.name}': stage 0 is the stem and needs depth 1, kernel 3 and no groups")
        for i, (before, stage) in enumerate(zip(stages, stages[1:]), start=1):
            where = f"space '{self.name}', stage {i}"
            inputs = set(before.channels) | set(stage.channels)
            for groups, channels in ((stage.groups1, inputs), (stage.groups2, inputs)):
                bad = [(c, g) for c in sorted(channels) for g in groups if c % g]
                if bad:
                    raise ValueError(f'{where}: {bad[0][0]} channels are not divisible by {bad[0][1]} groups')
            if self.non_decreasing and stage.channels[-1] < before.channels[-1]:
                raise ValueError(f'{where}: the widest choice {stage.channels[-1]} is narrower than '
                                 f'{before.channels[-1]} of the stage before, which the non-decreasing rule forbids')

    @classmethod
    def from_table(cls, table: Sequence[Sequence[Any]], name: str = 'custom',
                   non_decreasing: bool = True) -> 'SearchSpace':
        """Reads rows of (channels, depths, kernels, groups1, groups2, stride)."""
        try:
            if any(len(row) != 6 for row in table):
                raise TypeError
            stages = tuple(StageSpec(tuple(row[0]), tuple(row[1]), tuple(row[2]), tuple(row[3]), tuple(row[4]), row[5])
                           for row in table)
        except (TypeError, IndexError) as error:
            raise ValueError('a space is a list of rows (channels, depths, kernels, groups1, groups2, stride), '
                             f'five lists and a number; got {table!r}') from error
        return cls(name, stages, non_decreasing)

    def to_dict(self) -> Dict[str, Any]:
        """JSON-ready form, read by :meth:`from_dict`."""
        return dict(name=self.name, non_decreasing=self.non_decreasing, table=self.to_table())

    def to_table(self) -> List[List[Any]]:
        """Rows of (channels, depths, kernels, groups1, groups2, stride)."""
        return [[list(s.channels), list(s.depths), list(s.kernels), list(s.groups1), list(s.groups2), s.stride]
                for s in self.stages]

    @classmethod
    def from_dict(cls, data: Dict[str, Any]) -> 'SearchSpace':
        """Inverse of :meth:`to_dict`.

        Raises:
            ValueError: If a key is missing or a row is no stage.
        """
        missing = {'name', 'table'} - set(data if isinstance(data, dict) else ())
        if missing:
            raise ValueError(f'a search space needs the keys name and table; {sorted(missing)} missing')
        return cls.from_table(data['table'], data['name'], data.get('non_decreasing', True))

    @property
    def strides(self) -> Tuple[int, ...]:
        """Total stride after each stage."""
        total, out = 1, []
        for stage in self.stages:
            total *= stage.stride
            out.append(total)
        return tuple(out)

    def allowed_channels(self, stage: int, before: int) -> Tuple[int, ...]:
        """Channel choices of a block in ``stage`` that follows a block ``before`` channels wide."""
        channels = self.stages[stage].channels
        return tuple(c for c in channels if c >= before) if self.non_decreasing else channels

    def size(self) -> int:
        """Number of legal architectures."""
        return _completions(self, 0, 0)


@lru_cache(maxsize=None)
def _completions(space: SearchSpace, stage: int, before: int) -> int:
    """Number of ways to choose all stages from ``stage`` on, after a block ``before`` channels wide."""
    if stage == len(space.stages):
        return 1
    return sum(_stage_completions(space, stage, depth, before) for depth in space.stages[stage].depths)


@lru_cache(maxsize=None)
def _stage_completions(space: SearchSpace, stage: int, blocks: int, before: int) -> int:
    """As :func:`_completions`, with exactly ``blocks`` blocks left to choose in ``stage``."""
    if blocks == 0:
        return _completions(space, stage + 1, before)
    ways = sum(_stage_completions(space, stage, blocks - 1, c) for c in space.allowed_channels(stage, before))
    return ways * space.stages[stage].block_choices
