"""Tables and a picture of metrics and losses over the epochs of several trainings.

Equal names are several seeds of one, of which mean and standard deviation are shown. Resumed parts are put together.
"""
import argparse
import json
import statistics
from pathlib import Path
from typing import Dict, List

from nasbnn_det.cli import run_tool
from nasbnn_det.files import replace_text, result_file
from nasbnn_det.visualization.plots import plot_curves
from nasbnn_det.visualization.run_log import RunLog, find_runs, read_run

COLUMNS = 16


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('runs', nargs='+', metavar='NAME=FOLDER',
                        help='name in the table, folder of a training or of a series by repeat_training.py')
    parser.add_argument('--metric', action='append', help='metric or loss, such as loss_cls; more than once: a table and a '
                        'panel each, and the first gives result.json; default: coco/bbox_mAP')
    parser.add_argument('--work-dir', required=True, help='where curves.md, curves.png and result.json go')
    return parser.parse_args()


def read_runs(arguments: List[str]) -> Dict[str, Dict[Path, RunLog]]:
    """The logs of all trainings, by their name and folder."""
    runs: Dict[str, Dict[Path, RunLog]] = {}
    for argument in arguments:
        name, separator, folder = argument.partition('=')
        if not separator:
            raise ValueError(f"'{argument}' is no run; write NAME=FOLDER")
        runs.setdefault(name, {}).update({path: read_run(path) for path in find_runs(Path(folder))})
    return runs


def read_curves(runs: Dict[str, Dict[Path, RunLog]], metric: str) -> Dict[str, Dict[int, List[float]]]:
    """By name the values of all seeds at each epoch that all of them have."""
    values = {}
    for name, logs in runs.items():
        curves = {folder: log.curve(metric) for folder, log in logs.items()}
        for folder, curve in curves.items():
            if not curve:
                raise ValueError(f"'{folder}' has no '{metric}' in its logs; give the work directory of a training that "
                                 'was validated')
        common = sorted(set.intersection(*map(set, curves.values())))
        values[name] = {epoch: [curve[epoch] for curve in curves.values()] for epoch in common}
    return values


def shown(values: List[float]) -> str:
    mean = f'{statistics.mean(values):.3f}'
    return mean if len(values) == 1 else f'{mean} ± {statistics.stdev(values):.3f}'


def table(metric: str, curves: Dict[str, Dict[int, List[float]]], unit: str) -> str:
    """A row per name; of many epochs some are left out, the last one never."""
    epochs = sorted(set().union(*curves.values()))
    epochs = epochs[::-1][::-(-len(epochs) // COLUMNS) or 1][::-1]
    lines = [f"| {metric} | {' | '.join(f'{unit} {e}' for e in epochs)} |", '|---' * (len(epochs) + 1) + '|']
    lines += [f"| {name} | {' | '.join(shown(curve[e]) if e in curve else '' for e in epochs)} |"
              for name, curve in curves.items()]
    return '\n'.join(lines)


def main() -> None:
    args = parse_args()
    result_path = result_file(args.work_dir)
    runs = read_runs(args.runs)
    unit = next(log.unit for logs in runs.values() for log in logs.values())
    metrics = args.metric or ['coco/bbox_mAP']
    curves = {metric: read_curves(runs, metric) for metric in metrics}
    tables = '\n\n'.join(table(metric, found, unit) for metric, found in curves.items())
    work_dir = Path(args.work_dir)
    replace_text(work_dir / 'curves.md', tables + '\n')
    plot_curves(work_dir / 'curves.png', curves, unit)
    last = {name: curve[max(curve)] for name, curve in curves[metrics[0]].items() if curve}
    means = {name: statistics.mean(values) for name, values in last.items()}
    replace_text(result_path, json.dumps(dict(
        metrics=means, runs=last, files=[f'{work_dir.name}/curves.md', f'{work_dir.name}/curves.png'])))
    print(tables)


if __name__ == '__main__':
    run_tool(main)
