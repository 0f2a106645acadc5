"""What a search writes beside its checkpoints: the cells, the history of the alphas, pictures."""
import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any, Dict, List, Union

from ..files import replace_text
from .cell import CellSpace
from .network import CellNet
from .plots import plot_alphas, plot_cells


def read_history(path: Union[str, os.PathLike]) -> List[Dict[str, Any]]:
    """Reads an ``alphas.jsonl``: per epoch its number, temperature, space and probabilities.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no history of alphas.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"history '{path}' does not exist; a NASB search writes alphas.jsonl")
    try:
        rows = [json.loads(line) for line in Path(path).read_text(encoding='utf-8').splitlines()]
        if not rows or any(not {'epoch', 'space', 'probabilities'} <= set(row) for row in rows):
            raise ValueError('epochs, space and probabilities are missing')
    except (TypeError, ValueError) as error:
        raise ValueError(f"'{path}' is no history of alphas ({error}); allowed is the alphas.jsonl of a "
                         'NASB search') from error
    return rows


class SearchRecord:
    """Files of a search's folder, each written whole or not at all.

    Args:
        folder (Path): Where.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self.cells_path = self.folder / 'cells.json'
        self.history_path = self.folder / 'alphas.jsonl'
        self.rows: List[Dict[str, Any]] = []

    def truncate(self, epoch: int) -> None:
        """Continues the history of the first ``epoch`` epochs; epochs after a resumed checkpoint are run again."""
        rows = read_history(self.history_path) if epoch and self.history_path.is_file() else []
        self.rows = [row for row in rows if row['epoch'] < epoch]

    def add(self, epoch: int, temperature: float, probabilities: Dict[str, List[List[float]]], space: CellSpace,
            net: CellNet) -> None:
        """Adds an epoch to the history and writes the cells as they would be chosen after it."""
        self.rows.append(dict(epoch=epoch, temperature=temperature, space=asdict(space), probabilities=probabilities))
        replace_text(self.history_path, ''.join(json.dumps(row) + '\n' for row in self.rows))
        net.save(self.cells_path)

    def draw(self, net: CellNet, space: CellSpace) -> None:
        """Draws the cells, and the alphas over time."""
        plot_cells(self.folder / 'cells.png', net)
        plot_alphas(self.folder / 'alphas.png', self.rows, space)
