"""Pictures of a search, and of trainings."""
import os
from typing import Dict, Sequence, Union

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

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


def plot_curves(path: Union[str, os.PathLike], curves: Dict[str, Dict[int, Sequence[float]]], metric: str) -> None:
    """Draws a metric over the epochs of several trainings.

    Args:
        path: PNG file to write, atomically.
        curves (dict): By name the values of all seeds at each epoch; more than one are drawn as their mean between the
            lowest and the highest.
        metric (str): Name of the metric.
    """
    figure = Figure(figsize=(7, 4.5), dpi=110, layout='constrained')
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for name, values in curves.items():
        epochs = sorted(values)
        means = [sum(values[e]) / len(values[e]) for e in epochs]
        line, = axes.plot(epochs, means, 'o-', ms=4, lw=1.2, label=name)
        axes.vlines(epochs, [min(values[e]) for e in epochs], [max(values[e]) for e in epochs], color=line.get_color(),
                    alpha=0.6, linewidth=1.2)
    axes.set_xlabel('epoch')
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.set_ylabel(metric)
    axes.set_ylim(bottom=0)
    axes.legend()
    with replacing(path) as part:
        figure.savefig(part, format='png')
