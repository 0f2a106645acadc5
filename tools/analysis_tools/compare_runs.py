"""A table and a picture of a metric over the epochs of several trainings; equal names are several seeds of one."""
import argparse
import json
import statistics
from pathlib import Path
from typing import Dict, List

from nasbnn_det.cli import run_tool
from nasbnn_det.files import read_log, replace_text, result_file
from nasbnn_det.visualization.plots import plot_curves


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('runs', nargs='+', metavar='NAME=FOLDER', help='name in the table, folder of a training')
    parser.add_argument('--metric', default='coco/bbox_mAP')
    parser.add_argument('--work-dir', required=True, help='where curves.md, curves.png and result.json go')
    return parser.parse_args()


def read_curve(folder: Path, metric: str) -> Dict[int, float]:
    """The metric by epoch; what a resumed training did again counts."""
    curve: Dict[int, float] = {}
    for path in sorted(folder.glob('*/vis_data/scalars.json')):
        for row in read_log(path):
            if metric in row:
                curve[int(row['step'])] = row[metric]
    if not curve:
        raise ValueError(f"'{folder}' has no '{metric}' in its logs; give the work directory of a training that "
                         'was validated')
    return curve


def shown(values: List[float]) -> str:
    mean = f'{statistics.mean(values):.3f}'
    return mean if len(values) == 1 else f'{mean} ± {statistics.stdev(values):.3f}'


def main() -> None:
    args = parse_args()
    result_path = result_file(args.work_dir)
    curves: Dict[str, List[Dict[int, float]]] = {}
    for run in args.runs:
        name, separator, folder = run.partition('=')
        if not separator:
            raise ValueError(f"'{run}' is no run; write NAME=FOLDER")
        curves.setdefault(name, []).append(read_curve(Path(folder), args.metric))
    # Epochs that all runs of a name have.
    common = {name: sorted(set.intersection(*(set(c) for c in runs))) for name, runs in curves.items()}
    epochs = sorted(set().union(*common.values()))
    lines = [f"| {args.metric} | {' | '.join(f'epoch {e}' for e in epochs)} |", '|---' * (len(epochs) + 1) + '|']
    last = {}
    for name, runs in curves.items():
        cells = [shown([c[e] for c in runs]) if e in common[name] else '' for e in epochs]
        lines.append(f"| {name} | {' | '.join(cells)} |")
        if common[name]:
            last[name] = [c[common[name][-1]] for c in runs]
    table = '\n'.join(lines)
    work_dir = Path(args.work_dir)
    replace_text(work_dir / 'curves.md', table + '\n')
    plot_curves(work_dir / 'curves.png', {
        name: {epoch: [curve[epoch] for curve in runs] for epoch in common[name]} for name, runs in curves.items()
    }, args.metric)
    metrics = {name: statistics.mean(values) for name, values in last.items()}
    replace_text(result_path, json.dumps(dict(
        metrics=metrics, runs=last, files=[f'{work_dir.name}/curves.md', f'{work_dir.name}/curves.png'])))
    print(table)


if __name__ == '__main__':
    run_tool(main)
