"""What a pipeline config says: a list of stages, each a tool to run and the arguments it gets."""
import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

from mmengine.config import Config

_ALLOWED = {'name', 'tool', 'args', 'cfg_options', 'resume'}


class PipelineError(ValueError):
    """A pipeline config is wrong, or a stage failed."""


class StageFolder:
    """A finished stage as later stages' arguments see it: ``{supernet}`` and ``{supernet.checkpoint}``."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __str__(self) -> str:
        return str(self._path)

    @property
    def checkpoint(self) -> str:
        """The last checkpoint that the stage's training wrote."""
        pointer = self._path / 'last_checkpoint'
        if not pointer.is_file():
            raise PipelineError(f"stage folder '{self._path}' has no checkpoint; only a training stage has one")
        # The pointer holds the path of the time of writing; the folder may have moved since.
        return str(self._path / Path(pointer.read_text(encoding='utf-8').strip()).name)


@dataclass(frozen=True)
class Stage:
    """One step of a pipeline.

    Args:
        name (str): Name, and folder in the work directory.
        tool (str): Script to run, relative to the project's root.
        args (tuple[str]): Its arguments. ``{data_root}``, ``{work_dir}``, ``{stage_dir}`` and the names of earlier
            stages are filled in.
        cfg_options (dict): Given as ``--cfg-options``, filled in likewise.
        resume (bool): Whether the tool takes ``--resume`` to continue. Defaults to False.
    """
    name: str
    tool: str
    args: Sequence[str] = ()
    cfg_options: Dict[str, Any] = field(default_factory=dict)
    resume: bool = False

    def command(self, places: Dict[str, Any]) -> List[str]:
        """The tool's arguments with all places filled in."""
        out = [self._fill(str(arg), places) for arg in self.args]
        if self.cfg_options:
            out.append('--cfg-options')
            out.extend(f'{key}={self._fill(str(value), places)}' for key, value in self.cfg_options.items())
        return out

    def _fill(self, text: str, places: Dict[str, Any]) -> str:
        try:
            return text.format_map(places)
        except (KeyError, AttributeError, IndexError) as error:
            raise PipelineError(f"stage '{self.name}': '{text}' names {error}, which is no earlier stage; allowed are "
                                f'{", ".join(sorted(places))}') from error

    def fingerprint(self, command: Sequence[str], configs: Sequence[Path], before: str) -> str:
        """Changes when the stage's command, a config it names (bases included) or a stage before it changes."""
        texts = [Config.fromfile(path).pretty_text for path in configs]
        return hashlib.sha256(json.dumps([self.tool, list(command), texts, before]).encode()).hexdigest()


def load_stages(rows: Optional[Sequence[Dict[str, Any]]]) -> List[Stage]:
    """Reads the ``stages`` of a pipeline config.

    Raises:
        PipelineError: If there are none, a name repeats, or a key is unknown or missing.
    """
    if not rows:
        raise PipelineError('a pipeline config needs a list named stages, each with at least name and tool')
    stages: List[Stage] = []
    for row in rows:
        row = dict(row)
        unknown, missing = set(row) - _ALLOWED, {'name', 'tool'} - set(row)
        if unknown or missing:
            raise PipelineError(f'stage {row.get("name", len(stages))}: keys {sorted(unknown | missing)} are unknown or '
                                f'missing; allowed are {sorted(_ALLOWED)}')
        stages.append(Stage(**row))
    names = [stage.name for stage in stages]
    repeated = {name for name in names if names.count(name) > 1}
    if repeated:
        raise PipelineError(f'stage names repeat: {sorted(repeated)}; each stage needs its own')
    return stages
