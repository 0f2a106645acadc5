"""Pictures of cells and of a search."""
import os
from typing import Any, Dict, Sequence, Union

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ..files import replacing
from .cell import Cell, CellSpace
from .network import CellNet
from .operations import OPERATIONS

_PALETTE = ('#9aa5b1', '#0072b2', '#009e73', '#e69f00', '#c0392b', '#6a3d9a', '#b15928', '#1f1f1f')


def operation_colour(name: str) -> str:
    """The colour of an operation, the same in all pictures."""
    return _PALETTE[list(OPERATIONS).index(name) % len(_PALETTE)]


def plot_cells(path: Union[str, os.PathLike], net: CellNet, columns: int = 4) -> None:
    """Draws each cell of a network as a graph.

    Args:
        path: PNG file to write, atomically.
        net (CellNet): The cells.
        columns (int): Cells in a row. Defaults to 4.
    """
    rows = -(-len(net.cells) // columns)
    height = 2.1 if max(cell.num_nodes for cell in net.cells) > 2 else 1.3
    figure = Figure(figsize=(3.4 * columns, height * rows + 0.5), dpi=90, layout='constrained')
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis in axes:
        axis.set_axis_off()
    for axis, (name, cell) in zip(axes, net.by_name.items()):
        _draw_cell(axis, name, cell)
    used = sorted({edge.operation for cell in net.cells for edge in cell.edges}, key=list(OPERATIONS).index)
    handles = [axes[0].plot([], [], color=operation_colour(name), lw=2, label=name)[0] for name in used]
    handles.insert(0, axes[0].plot([], [], color='#c8ccd0', lw=4, label='binary 3 x 3 with its shortcut (backbone)')[0])
    figure.legend(handles=handles, loc='outside lower center', ncols=4, frameon=False, fontsize=9)
    with replacing(path) as part:
        figure.savefig(part, format='png')


def _draw_cell(axis: Any, name: str, cell: Cell) -> None:
    last = cell.num_nodes - 1
    where = {node: (node / last, 0.45 if 0 < node < last else 0.0) for node in range(cell.num_nodes)}
    used = {0, last, *(edge.source for edge in cell.edges), *(edge.target for edge in cell.edges)}
    axis.annotate('', where[last], where[0], arrowprops=dict(
        arrowstyle='-|>', color='#c8ccd0', lw=4, connectionstyle='arc3,rad=0.35', shrinkA=9, shrinkB=9))
    for edge in cell.edges:
        straight = edge.source in (0, last) and edge.target == last and last > 1
        axis.annotate('', where[edge.target], where[edge.source], arrowprops=dict(
            arrowstyle='-|>', color=operation_colour(edge.operation), lw=1.8, shrinkA=9, shrinkB=9,
            connectionstyle=f'arc3,rad={0.0 if straight else -0.12}'))
        x, y = (np.array(where[edge.source]) + np.array(where[edge.target])) / 2
        label = edge.operation.replace('_3x3', '').replace('_', ' ')
        axis.text(x, y + 0.04, label, ha='center', va='bottom', fontsize=7.5, color=operation_colour(edge.operation),
                  bbox=dict(boxstyle='round,pad=0.1', fc='white', ec='none'))
    for node in used:
        axis.text(*where[node], _node_label(node, last), ha='center', va='center', fontsize=8,
                  bbox=dict(boxstyle='circle,pad=0.25', fc='white', ec='#4a4a4a'))
    axis.set_title(name + (f', {cell.num_bases} bases' if cell.num_bases > 1 else ''), fontsize=9)
    axis.set_xlim(-0.15, 1.15)
    axis.set_ylim(-0.45, 0.7 if last > 1 else 0.25)


def plot_alphas(path: Union[str, os.PathLike], rows: Sequence[Dict[str, Any]], space: CellSpace) -> None:
    """Draws the probabilities of all candidates over the epochs, a small diagram per edge of each cell.

    Args:
        path: PNG file to write, atomically.
        rows (Sequence[dict]): Per epoch ``epoch`` and ``probabilities``: per cell a list per edge.
        space (CellSpace): The candidates.
    """
    edges = len(space.pairs)
    places = [(name, j) for name in rows[0]['probabilities'] for j in range(edges)]
    columns = edges * max(4 // edges, 1)
    lines = -(-len(places) // columns)
    figure = Figure(figsize=(max(2.6 * columns, 8), 1.5 * lines + 0.8), dpi=80, layout='constrained')
    FigureCanvasAgg(figure)
    axes = figure.subplots(lines, columns, squeeze=False, sharex=True, sharey=True).ravel()
    epochs = [row['epoch'] + 1 for row in rows]
    for axis, (name, j) in zip(axes, places):
        values = np.array([row['probabilities'][name][j] for row in rows])
        for k, operation in enumerate(space.operations):
            axis.plot(epochs, values[:, k], '.-', ms=3, lw=1.2, color=operation_colour(operation))
        source, target = (_node_label(node, space.num_nodes - 1) for node in space.pairs[j])
        axis.set_title(f'{name}, {source} → {target}', fontsize=8)
        axis.grid(alpha=0.3)
    for axis in axes[len(places):]:
        axis.set_axis_off()
    axes[0].set_ylim(0, 1)
    for axis in axes[-columns:]:
        axis.set_xlabel('epoch', fontsize=8)
    handles = [axes[0].plot([], [], color=operation_colour(name), lw=2, label=name)[0] for name in space.operations]
    figure.legend(handles=handles, loc='outside lower center', ncols=4, frameon=False, fontsize=8)
    with replacing(path) as part:
        figure.savefig(part, format='png')


def _node_label(node: int, last: int) -> str:
    return {0: 'in', last: 'out'}.get(node, str(node))
