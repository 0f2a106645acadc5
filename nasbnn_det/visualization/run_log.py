"""What a training wrote of itself: losses, rates and metrics, its resumed parts put together. Standard library alone."""
import math
import re
from datetime import datetime
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Tuple

from ..files import read_log

_Row = Dict[str, Any]
_Part = Tuple[List[_Row], List[_Row]]
_TIME = re.compile(r'\d{4}/\d\d/\d\d \d\d:\d\d:\d\d')


class RunLog(NamedTuple):
    """A training's numbers, each list in the order in which they came about.

    Args:
        train (list[dict]): Means over the last steps: ``loss`` and its parts, ``lr``, ``step``, and ``epoch`` if the
            training counts in epochs.
        val (list[dict]): Metrics of each validation, with ``step``: the epoch, or the step if none are counted.
        seconds (float): From the first to the last line of the logs, added over the resumed parts.
    """
    train: List[_Row]
    val: List[_Row]
    seconds: float

    @property
    def unit(self) -> str:
        """What validations are counted in: 'epoch' or 'step'."""
        return 'epoch' if any('epoch' in row for row in self.train) or not self.train else 'step'

    def curve(self, name: str) -> Dict[int, float]:
        """A metric by the epoch of its validation, or the mean of a loss over each epoch; empty if there is none."""
        curve = {int(row['step']): float(row[name]) for row in self.val if _is_number(row.get(name))}
        if curve:
            return curve
        values: Dict[int, List[float]] = {}
        for row in self.train:
            if _is_number(row.get(name)):
                values.setdefault(int(row[self.unit]), []).append(float(row[name]))
        return {epoch: sum(found) / len(found) for epoch, found in values.items()}


def read_run(folder: Path) -> RunLog:
    """Reads the logs of a work directory.

    A part that was resumed counts from where it went on; what the part before it did beyond that is forgotten. So is a whole
    training, if another one began anew in its folder.

    Args:
        folder (Path): Work directory of a training.

    Returns:
        RunLog: What the logs say; empty if there are none.
    """
    train: List[_Row] = []
    val: List[_Row] = []
    for trained, validated in _in_order([_part(path) for path in sorted(folder.glob('*/vis_data/scalars.json'))]):
        if trained:
            # Validations are counted in epochs, or in steps.
            first = trained[0]
            train = [row for row in train if row['step'] < first['step']]
            val = [row for row in val if row['step'] < first.get('epoch', first['step'])]
        train += trained
        again = {row['step'] for row in validated}
        val = sorted([row for row in val if row['step'] not in again] + validated, key=lambda row: row['step'])
    return RunLog(train, val, sum(_seconds(path) for path in folder.glob('*/*.log')))


def find_runs(folder: Path) -> List[Path]:
    """Work directories of a training: the folder itself, or its ``seed0``, ``seed1``, ..., that ``repeat_training`` made."""
    seeds = sorted(path for path in folder.glob('seed*') if any(path.glob('*/vis_data/scalars.json')))
    return [folder] if any(folder.glob('*/vis_data/scalars.json')) or not seeds else seeds


def _part(path: Path) -> _Part:
    """What one process wrote: its training and its validations."""
    rows = [row for row in read_log(path) if _is_number(row.get('step'))]
    trained = [row for row in rows if 'lr' in row or 'loss' in row]
    return trained, [row for row in rows if row not in trained]


def _in_order(parts: List[_Part]) -> List[_Part]:
    """Parts in the order of their folders' names, which are times, as they were written.

    They differ where the clock was put back. A part that was resumed stands before the one that began then; all that went on
    from that one are ordered by the steps where they did.
    """
    resumed = [_is_resumed(trained) for trained, _ in parts]
    if all(resumed) or not resumed[0]:
        return parts
    began = resumed.index(False)
    end = next((place for place in range(began + 1, len(parts)) if not resumed[place]), len(parts))
    later = sorted(parts[:began] + parts[began + 1:end], key=lambda part: part[0][0]['step'])
    return [parts[began], *later, *parts[end:]]


def _is_resumed(trained: List[_Row]) -> bool:
    """Whether the first row does not tell of the first steps."""
    if not trained or 'epoch' in trained[0]:
        return bool(trained) and trained[0]['epoch'] > 1
    steps = [row['step'] for row in trained[:2]]
    return len(steps) == 2 and steps[0] > steps[1] - steps[0] > 0


def _seconds(log: Path) -> float:
    """From line to line; where the clock was put back in between, nothing is counted."""
    times = [datetime.strptime(text, '%Y/%m/%d %H:%M:%S') for text in _TIME.findall(log.read_text(encoding='utf-8'))]
    return sum(max(0.0, (later - earlier).total_seconds()) for earlier, later in zip(times, times[1:]))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)
