"""The front file: best architecture per bucket of OPs, as a search writes it and configs name it."""
import json
import math
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, Iterable, List, Optional, Sequence, Tuple, Union

from ..files import replace_text
from ..pretrained.catalog import SCHEME, locate, read_header
from .arch import Arch
from .spaces import get_space

_FORMAT = 'nasbnn_det.front'
_VERSION = 2


@dataclass(frozen=True)
class FrontEntry:
    """One architecture of a front.

    Args:
        arch (Arch): The architecture.
        ops (float): Its OPs, a plain count.
        score (float): Its score, full precision.
    """
    arch: Arch
    ops: float
    score: float


@dataclass(frozen=True)
class Front:
    """Best architecture per bucket of OPs.

    Args:
        entries (tuple[FrontEntry]): Ascending in OPs.
        info (dict): JSON-ready facts about the search: metric, bucket width, input size the OPs are for, hash of
            the supernet's checkpoint, seed.
    """
    entries: Tuple[FrontEntry, ...]
    info: Dict[str, Any] = field(default_factory=dict)

    @property
    def pareto(self) -> Tuple[FrontEntry, ...]:
        """The entries that no other one beats with as few OPs: the best of a bucket may be worse than a smaller one's."""
        return pareto_optimal(self.entries)

    def best(self, max_ops_m: float = float('inf')) -> FrontEntry:
        """Best score within ``max_ops_m`` million OPs.

        Raises:
            ValueError: If no entry is that small.
        """
        within = [e for e in self.entries if e.ops <= max_ops_m * 1e6]
        if not within:
            raise ValueError(f'the front has no architecture within {max_ops_m:g}M OPs; its smallest has '
                             f'{min(e.ops for e in self.entries) / 1e6:.2f}M')
        return max(within, key=lambda e: (e.score, -e.ops))

    def limit_of(self, entry: FrontEntry) -> Optional[str]:
        """The shortest limit that names an entry: '57' if it is the best within 57M OPs.

        Args:
            entry (FrontEntry): One of :attr:`entries`.

        Returns:
            str, optional: Millions of OPs; None if an entry with as few OPs is as good, so that no limit names this one.
        """
        for digits in range(10):
            limit = f'{math.ceil(entry.ops / 10**(6 - digits)) / 10**digits:.{digits}f}'
            if entry.ops <= float(limit) * 1e6 and self.best(float(limit)) is entry:
                return limit
        return None

    def save(self, path: Union[str, os.PathLike]) -> None:
        """Writes the front as readable JSON, atomically.

        Raises:
            ValueError: If it is empty, or its architectures are of several spaces.
        """
        spaces = {e.arch.space for e in self.entries}
        if len(spaces) != 1:
            raise ValueError(f'a front is of one search space and not empty; this one is of {len(spaces)}')
        entries = [dict(ops=e.ops, score=e.score, stages=e.arch.stages_to_list()) for e in self.entries]
        space = spaces.pop().to_dict()
        head = json.dumps(dict(format=_FORMAT, version=_VERSION, info=self.info), indent=1)[:-2]
        head += f',\n "space": {json.dumps(space)}'
        rows = ',\n  '.join(json.dumps(e) for e in entries)
        replace_text(path, f'{head},\n "entries": [\n  {rows}\n ]\n}}\n')

    @classmethod
    def load(cls, path: Union[str, os.PathLike]) -> 'Front':
        """Reads a front file.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If it is no front file or holds an illegal architecture.
        """
        data = _read_json(path)
        if not isinstance(data, dict) or data.get('format') != _FORMAT or data.get('version') != _VERSION:
            raise ValueError(f"'{path}' is no front file; allowed is the front.json that a search writes")
        if not data.get('entries'):
            raise ValueError(f"'{path}' has no entries; a front file names at least one architecture")
        try:
            space = get_space(data['space'])
            entries = tuple(FrontEntry(Arch.from_stages(space, e['stages']), _number(e, 'ops'), _number(e, 'score'))
                            for e in data['entries'])
        except KeyError as error:
            raise ValueError(f"'{path}' lacks {error}; a front has a space, and entries of stages, ops, score") from error
        except (TypeError, AttributeError, ValueError) as error:
            raise ValueError(f"'{path}' has an entry that is no architecture with OPs and a score ({error}); allowed is "
                             'the front.json that a search writes') from error
        return cls(entries, data.get('info', {}))


def pareto_optimal(entries: Iterable[FrontEntry]) -> Tuple[FrontEntry, ...]:
    """The entries that none with as few OPs reaches, ascending in OPs and in score."""
    kept: List[FrontEntry] = []
    for entry in sorted(entries, key=lambda e: (e.ops, -e.score)):
        if not kept or entry.score > kept[-1].score:
            kept.append(entry)
    return tuple(kept)


def load_arch(spec: Union[Arch, Dict[str, Any], str, os.PathLike]) -> Arch:
    """Resolves what a config may give as an architecture.

    Args:
        spec: An :class:`Arch`, its dict form, a JSON file with its dict form, a front file (its best score), or
            ``'PATH/front.json#57'`` (the best score within 57M OPs); ``'nasbnn_det://NAME'`` or a file of published
            weights, .safetensors (the one that they are of).

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is no architecture or front, no entry is small enough, or no weights have that name.
    """
    if isinstance(spec, Arch):
        return spec
    if isinstance(spec, dict):
        return Arch.from_dict(spec)
    if str(spec).startswith(SCHEME) or str(spec).endswith('.safetensors'):
        return _arch_of_weights(spec)
    path, limit = split_limit(str(spec))
    data = _read_json(path)
    if isinstance(data, dict) and 'stages' in data:
        if limit:
            raise ValueError(f"'{spec}' names a limit of OPs, but '{path}' holds a single architecture; '#' is for "
                             'front files')
        return Arch.from_dict(data)
    front = Front.load(path)
    if not limit:
        return front.best().arch
    try:
        max_ops_m = float(limit)
    except ValueError as error:
        raise ValueError(f"'{spec}': '{limit}' is no number; write front.json#57 for at most 57M OPs") from error
    return front.best(max_ops_m).arch


def _arch_of_weights(spec: Union[str, os.PathLike]) -> Arch:
    path = locate(spec)
    if not path.is_file():
        raise FileNotFoundError(f"file of weights '{path}' does not exist; give one that publish_model.py wrote")
    header = read_header(path)
    if 'arch' not in header:
        raise ValueError(f"'{path}' names no architecture; allowed are files that publish_model.py wrote")
    return Arch.from_json(header['arch'])


def split_limit(spec: str) -> Tuple[str, str]:
    """A file's name and the limit behind its last '#'; folders and files may have a '#' in their names too."""
    path, _, limit = spec.rpartition('#')
    if not path or os.path.isfile(spec) or os.sep in limit or '/' in limit:
        return spec, ''
    return path, limit


def arch_channels(arch: Union[Arch, Dict[str, Any], str, os.PathLike], out_indices: Sequence[int]) -> Tuple[int, ...]:
    """Channels of some stages' outputs, for a neck that follows a found backbone.

    Args:
        arch: As :func:`load_arch` takes it.
        out_indices (Sequence[int]): Stages; 0 is the stem.

    Raises:
        ValueError: If an index names no stage.
    """
    channels = load_arch(arch).stage_channels
    for index in out_indices:
        if not 0 <= index < len(channels):
            raise ValueError(f'stage {index} does not exist; this architecture has the stages 0 to {len(channels) - 1}')
    return tuple(channels[i] for i in out_indices)


def _number(entry: Dict[str, Any], name: str) -> float:
    value = entry[name]
    if type(value) not in (int, float) or not abs(value) < float('inf') or name == 'ops' and value <= 0:
        raise ValueError(f'{name} is {value!r}; allowed is a finite number' + (' above 0' if name == 'ops' else ''))
    return float(value)


def _read_json(path: Union[str, os.PathLike]) -> Any:
    try:
        return json.loads(Path(path).read_text(encoding='utf-8'))
    except FileNotFoundError as error:
        raise FileNotFoundError(f"architecture file '{path}' does not exist; give a JSON file with an architecture "
                                'or a front') from error
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"'{path}' is no JSON ({error}); allowed is a file with an architecture or a front") from error
