"""Pictures of a search."""
import os
from typing import Sequence, Union

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ..arch import FrontEntry
from ..files import replacing


def plot_front(path: Union[str, os.PathLike], visited: Sequence[FrontEntry], front: Sequence[FrontEntry],
               metric: str) -> None:
    """Draws score over OPs: all visited architectures, the front marked.

    Args:
        path: PNG file to write, atomically.
        visited (Sequence[FrontEntry]): All evaluated architectures.
        front (Sequence[FrontEntry]): The best per bucket, ascending in OPs.
        metric (str): Name of the score.
    """
    figure = Figure(figsize=(7, 4.5), dpi=110, layout='constrained')
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.scatter([e.ops / 1e6 for e in visited], [e.score for e in visited], s=14, c='#9aa5b1', linewidths=0,
                 label=f'visited ({len(visited)})')
    axes.plot([e.ops / 1e6 for e in front], [e.score for e in front], 'o-', color='#c0392b', ms=5, lw=1.2,
              label=f'front, best per bucket ({len(front)})')
    axes.set_xlabel('OPs (million)')
    axes.set_ylabel(metric)
    axes.grid(alpha=0.3)
    axes.legend(loc='lower right', frameon=False)
    with replacing(path) as part:
        figure.savefig(part, format='png')
