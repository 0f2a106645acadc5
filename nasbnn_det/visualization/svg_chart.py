"""Charts as SVG elements of a page, drawn by matplotlib."""
import io
from typing import Callable, Dict

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator


def chart_svg(draw: Callable[[Axes], None]) -> str:
    """A chart with room for a legend beside it.

    Args:
        draw (Callable): Draws on the axes that it gets.

    Returns:
        str: ``<svg ...>``, with letters as text. Equal pictures are equal texts, and ids of several on one page
            stand for the same.
    """
    with rc_context({'svg.fonttype': 'none', 'svg.hashsalt': 'nasbnn_det', 'font.family': 'sans-serif', 'font.size': 10}):
        figure = Figure(figsize=(9, 3.2))
        figure.subplots_adjust(left=0.08, right=0.76, bottom=0.15, top=0.96)  # alike on one page
        canvas = FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        axes.grid(alpha=0.3)
        draw(axes)
        for side in ('top', 'right'):
            axes.spines[side].set_visible(False)
        if len(axes.get_legend_handles_labels()[1]) > 1:  # beside the curves, so that it hides none
            axes.legend(frameon=False, loc='upper left', bbox_to_anchor=(1, 1))
        with io.StringIO() as text:
            canvas.print_svg(text, metadata=dict(Date=None, Creator=None, Format=None, Type=None))
            return text.getvalue()[text.getvalue().index('<svg'):]


def curves_svg(curves: Dict[str, Dict[int, float]], unit: str) -> str:
    """Curves as an SVG element.

    Args:
        curves (dict[str, dict[int, float]]): By name, the values over epochs or steps.
        unit (str): What the horizontal axis counts.

    Returns:
        str: As :func:`chart_svg`.
    """
    def draw(axes: Axes) -> None:
        for name, points in curves.items():
            xs = sorted(points)
            axes.plot(xs, [points[x] for x in xs], 'o-' if len(xs) < 30 else '-', ms=3, lw=1.4, label=name)
        axes.set_xlabel(unit)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.set_ylim(bottom=min(0.0, min(min(points.values()) for points in curves.values())))

    return chart_svg(draw)
