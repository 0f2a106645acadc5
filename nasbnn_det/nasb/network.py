"""The cells of a whole network: what a search finds, a file holds and a config names."""
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, Optional, Tuple, Union

from ..files import replace_text
from .cell import Cell
from .resnet import ResNetShape

_FORMAT = 'nasbnn_det.cells'


@dataclass(frozen=True)
class CellNet:
    """One cell for each k x k convolution of a ResNet. Equal by value, up to ``info``.

    Args:
        depth (int): 18, 34 or 50.
        cells (tuple[Cell]): In the order of the network.
        info (dict): JSON-ready facts about where they come from.

    Raises:
        ValueError: If there is no such ResNet, or it has another number of places.
    """
    depth: int
    cells: Tuple[Cell, ...]
    info: Dict[str, Any] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, 'cells', tuple(self.cells))
        places = len(ResNetShape(self.depth).sites)
        if len(self.cells) != places:
            raise ValueError(f'{len(self.cells)} cells for a ResNet-{self.depth}, which has places for {places}')

    @classmethod
    def plain(cls, depth: int, num_bases: int = 1) -> 'CellNet':
        """Every cell the binary convolution alone: the baseline."""
        return cls(depth, (Cell(num_bases=num_bases), ) * len(ResNetShape(depth).sites))

    def with_bases(self, num_bases: int) -> 'CellNet':
        """The same graphs with another number of bases."""
        return CellNet(self.depth, tuple(cell.with_bases(num_bases) for cell in self.cells), self.info)

    @property
    def by_name(self) -> Dict[str, Cell]:
        """The cells by the names of their modules."""
        return {site.name: cell for site, cell in zip(ResNetShape(self.depth).sites, self.cells)}

    def to_dict(self) -> Dict[str, Any]:
        """JSON-ready form."""
        return dict(format=_FORMAT, version=1, depth=self.depth, info=self.info,
                    cells={name: cell.to_dict() for name, cell in self.by_name.items()})

    @classmethod
    def from_dict(cls, data: Dict[str, Any]) -> 'CellNet':
        """Inverse of :meth:`to_dict`.

        Raises:
            ValueError: If it is no set of cells, names are not those of the ResNet, or a cell is illegal.
        """
        if not isinstance(data, dict) or data.get('format') != _FORMAT or data.get('version') != 1 \
                or type(data.get('depth')) is not int or not isinstance(data.get('cells'), dict):
            raise ValueError('no set of cells; allowed is what a NASB search writes into cells.json, or its dict')
        names = [site.name for site in ResNetShape(data['depth']).sites]
        if set(data['cells']) != set(names):
            wrong = sorted(set(data['cells']) ^ set(names))
            raise ValueError(f"the cells of a ResNet-{data['depth']} are named {names[0]} to {names[-1]}; missing or "
                             f'left over: {", ".join(wrong)}')
        return cls(data['depth'], tuple(Cell.from_dict(data['cells'][name]) for name in names), data.get('info', {}))

    def save(self, path: Union[str, os.PathLike]) -> None:
        """Writes the cells as readable JSON, a line each, atomically."""
        data = self.to_dict()
        rows = ',\n  '.join(f'{json.dumps(name)}: {json.dumps(cell)}' for name, cell in data.pop('cells').items())
        replace_text(path, f'{json.dumps(data)[:-1]},\n "cells": {{\n  {rows}\n }}}}\n')


def load_cells(spec: Union[CellNet, Dict[str, Any], str, os.PathLike, None], depth: int,
               num_bases: Optional[int] = None) -> CellNet:
    """Resolves what a config may give as the cells of a ResNet.

    Args:
        spec: A :class:`CellNet`, its dict form, a ``cells.json``, or None for the plain binary ResNet.
        depth (int): Depth of the ResNet.
        num_bases (int, optional): Gives all cells this number of bases. Defaults to None, theirs.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If it holds no cells, or cells of another depth.
    """
    if spec is None:
        cells = CellNet.plain(depth)
    elif isinstance(spec, CellNet):
        cells = spec
    elif isinstance(spec, dict):
        cells = CellNet.from_dict(spec)
    else:
        cells = _read(spec)
    if cells.depth != depth:
        raise ValueError(f'the cells are of a ResNet-{cells.depth}, the backbone has depth {depth}; give both the same')
    return cells if num_bases is None else cells.with_bases(num_bases)


def _read(path: Union[str, os.PathLike]) -> CellNet:
    if not Path(path).is_file():
        raise FileNotFoundError(f"cells file '{path}' does not exist; a NASB search writes cells.json")
    try:
        return CellNet.from_dict(json.loads(Path(path).read_text(encoding='utf-8')))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"'{path}' is no JSON file ({error}); allowed is the cells.json of a NASB search") from error
    except ValueError as error:
        raise ValueError(f"'{path}': {error}") from error
