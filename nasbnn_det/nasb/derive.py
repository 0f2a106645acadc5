"""From alphas to cells: the best operation of each edge, or none, within a bound of operations."""
from typing import List, Optional, Sequence, Tuple

import numpy as np

from .cell import Cell, CellSpace


def derive_cells(probabilities: Sequence[np.ndarray], space: CellSpace, costs: Sequence[np.ndarray],
                 max_ops: Optional[float] = None) -> Tuple[Cell, ...]:
    """Takes the most probable candidate of each edge; where that is 'none', there is no edge.

    Under a bound, choices are taken back one at a time until it holds: each time the one whose replacement by a
    cheaper candidate loses the least probability per operation saved.

    Args:
        probabilities (Sequence[np.ndarray]): Per cell, shape (edges, operations).
        space (CellSpace): The candidates.
        costs (Sequence[np.ndarray]): OPs that each candidate adds, likewise.
        max_ops (float, optional): Most OPs that all edges may add together. Defaults to None, no bound.

    Returns:
        tuple[Cell]: One per cell.

    Raises:
        ValueError: If the cheapest candidates already cost more than the bound.
    """
    if max_ops is not None and sum(cost.min(1).sum() for cost in costs) > max_ops:
        raise ValueError(f'no choice of edges adds at most {max_ops:.4g} OPs; give the space a free operation such as '
                         'none, or raise max_overhead')
    chosen = [p.argmax(1) for p in probabilities]
    while max_ops is not None and _added(chosen, costs) > max_ops:
        cell, edge, candidate = _cheapest_move(probabilities, costs, chosen)
        chosen[cell][edge] = candidate
    return tuple(space.cell(choices.tolist()) for choices in chosen)


def _added(chosen: List[np.ndarray], costs: Sequence[np.ndarray]) -> float:
    return float(sum(np.take_along_axis(cost, c[:, None], 1).sum() for c, cost in zip(chosen, costs)))


def _cheapest_move(probabilities: Sequence[np.ndarray], costs: Sequence[np.ndarray],
                   chosen: List[np.ndarray]) -> Tuple[int, int, int]:
    """Cell, edge and cheaper candidate that lose the least probability per operation saved."""
    moves = []
    for i, (p, cost, choices) in enumerate(zip(probabilities, costs, chosen)):
        for edge, now in enumerate(choices):
            for candidate in np.flatnonzero(cost[edge] < cost[edge, now]):
                loss = (p[edge, now] - p[edge, candidate]) / (cost[edge, now] - cost[edge, candidate])
                moves.append((loss, i, edge, int(candidate)))
    return min(moves)[1:]
