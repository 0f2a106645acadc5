"""Pictures of a search, and of trainings."""
import os
import statistics
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


def plot_curves(path: Union[str, os.PathLike], curves: Dict[str, Dict[str, Dict[int, Sequence[float]]]],
                unit: str = 'epoch') -> None:
    """Draws metrics and losses over the epochs of several trainings, a panel each.

    Args:
        path: PNG file to write, atomically.
        curves (dict): By quantity and by name of a training the values of all seeds at each epoch; more than one are drawn
            as their mean, in a band of their standard deviation.
        unit (str): What is counted along the horizontal axis. Defaults to 'epoch'.
    """
    figure = Figure(figsize=(7, 4.5 * len(curves)), dpi=110, layout='constrained')
    FigureCanvasAgg(figure)
    for axes, (quantity, trainings) in zip(figure.subplots(len(curves), squeeze=False)[:, 0], curves.items()):
        for name, values in trainings.items():
            epochs = sorted(values)
            means = [statistics.mean(values[e]) for e in epochs]
            line, = axes.plot(epochs, means, 'o-', ms=4, lw=1.2, label=name)
            spread = [statistics.stdev(values[e]) if len(values[e]) > 1 else 0.0 for e in epochs]
            if any(spread):
                axes.fill_between(epochs, [m - s for m, s in zip(means, spread)], [m + s for m, s in zip(means, spread)],
                                  color=line.get_color(), alpha=0.2, linewidth=0)
        axes.set_xlabel(unit)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.set_ylabel(quantity)
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)
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
