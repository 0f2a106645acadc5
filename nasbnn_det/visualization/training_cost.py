"""The picture of what a training step costs."""
import os
from typing import Any, Dict, List, Sequence, Union

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ..files import replacing

_COLOURS = dict(ours='#c0392b', plain='#7f8c8d', resnet50='#2980b9')
_NAMES = dict(ours='kernels', plain='plain operators', resnet50='ResNet-50')
_AXES = dict(batch='images a step', size='height and width in pixels', processes='processes that share images and threads')


def plot_training_cost(path: Union[str, os.PathLike], found: Dict[str, Sequence[Dict[str, Any]]]) -> None:
    """Draws time and memory of a step over what was varied, a column each.

    Args:
        path: PNG file to write, atomically.
        found (dict): Lines of ``tools/analysis_tools/benchmark_train.py`` by what was varied, 'batch', 'size' or
            'processes', in ascending order.
    """
    figure = Figure(figsize=(11, 6), dpi=110, layout='constrained')
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, len(found), sharex='col', squeeze=False)
    for column, (varied, lines) in enumerate(found.items()):
        places: List[int] = [line[varied] for line in lines]
        for row, (quantity, label) in enumerate((('seconds', 'seconds a step'), ('memory_gb', 'GB of a process'))):
            panel = axes[row][column]
            for name in lines[0][quantity]:
                panel.plot(places, [line[quantity][name] for line in lines], 'o-', ms=4, lw=1.2, color=_COLOURS[name],
                           label=_NAMES[name])
            panel.set_ylim(bottom=0)
            if places[-1] > 8 * places[0]:  # doubled from place to place: labels would lie over each other
                panel.set_xscale('log', base=2)
            panel.set_xticks(places, [str(place) for place in places])
            panel.minorticks_off()
            panel.grid(alpha=0.3)
            panel.set_ylabel(label)
        axes[1][column].set_xlabel(_AXES[varied])
    axes[0][0].legend(frameon=False)
    with replacing(path) as part:
        figure.savefig(part, format='png')
