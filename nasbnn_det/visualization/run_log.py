"""What a training wrote of itself: losses, rates and metrics, its resumed parts put together. Standard library alone."""
import json
import math
import re
from datetime import datetime
from pathlib import Path
from typing import Any, Dict, List, NamedTuple

_Row = Dict[str, Any]
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
    for path in sorted(folder.glob('*/vis_data/scalars.json')):
        rows = _rows(path)
        trained = [row for row in rows if 'lr' in row or 'loss' in row]
        if trained:
            # Validations are counted in epochs, or in steps.
            first = trained[0]
            train = [row for row in train if row['step'] < first['step']]
            val = [row for row in val if row['step'] < first.get('epoch', first['step'])]
        train += trained
        validated = [row for row in rows if row not in trained]
        again = {row['step'] for row in validated}
        val = sorted([row for row in val if row['step'] not in again] + validated, key=lambda row: row['step'])
    return RunLog(train, val, sum(_seconds(path) for path in folder.glob('*/*.log')))


def find_runs(folder: Path) -> List[Path]:
    """Work directories of a training: the folder itself, or its ``seed0``, ``seed1``, ..., that ``repeat_training`` made."""
    seeds = sorted(path for path in folder.glob('seed*') if any(path.glob('*/vis_data/scalars.json')))
    return [folder] if any(folder.glob('*/vis_data/scalars.json')) or not seeds else seeds


def _rows(path: Path) -> List[_Row]:
    rows = []
    for line in path.read_text(encoding='utf-8', errors='replace').splitlines():
        try:
            row = json.loads(line)
        except ValueError:  # what a killed training was writing
            continue
        if isinstance(row, dict) and _is_number(row.get('step')):
            rows.append(row)
    return rows


def _seconds(log: Path) -> float:
    found = _TIME.findall(log.read_text(encoding='utf-8', errors='replace'))
    times = [datetime.strptime(text, '%Y/%m/%d %H:%M:%S') for text in found]
    return (max(times) - min(times)).total_seconds() if times else 0.0


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)
