"""Pictures of a search, and of trainings."""
import os
from typing import Dict, Sequence, Union

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..arch import FrontEntry, pareto_optimal
from ..files import replacing


def plot_front(path: Union[str, os.PathLike], visited: Sequence[FrontEntry], front: Sequence[FrontEntry],
               metric: str) -> None:
    """Draws score over OPs: all visited architectures, the front and its Pareto-optimal part marked.

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
    best = pareto_optimal(front)
    axes.plot([e.ops / 1e6 for e in best], [e.score for e in best], 'o-', color='#c0392b', ms=5, lw=1.2,
              label=f'Pareto-optimal ({len(best)})')
    others = [e for e in front if e not in best]
    axes.plot([e.ops / 1e6 for e in others], [e.score for e in others], 'o', color='#c0392b', ms=5, mfc='white',
              label=f'best of its bucket, but beaten by fewer OPs ({len(others)})')
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


def plot_searches(path: Union[str, os.PathLike], curves: Dict[str, Sequence[float]], metric: str) -> None:
    """Draws what searches had found after each candidate.

    Args:
        path: PNG file to write, atomically.
        curves (dict): By name the value after each candidate.
        metric (str): Name of the value.
    """
    figure = Figure(figsize=(7, 4.5), dpi=110, layout='constrained')
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for name, values in curves.items():
        axes.plot(range(1, len(values) + 1), values, lw=1.4, label=name)
    axes.set_xlabel('candidates evaluated')
    axes.set_ylabel(metric)
    axes.grid(alpha=0.3)
    axes.legend(loc='lower right')
    with replacing(path) as part:
        figure.savefig(part, format='png')
