"""A table and a picture of what searches had found after each candidate, such as an evolution's and a random search's.

The value is the mean, over budgets evenly spread in the OPs that all searches visited, of the best score within each. A
random search is a search whose evolution has generations=0 and as many random architectures.
"""
import argparse
import json
from pathlib import Path

import numpy as np

from nasbnn_det.cli import run_tool
from nasbnn_det.files import replace_text
from nasbnn_det.search.comparison import mean_best, read_history
from nasbnn_det.visualization.plots import plot_searches


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('searches', nargs='+', metavar='NAME=FOLDER', help='name in the table, work directory of a search')
    parser.add_argument('--budgets', type=int, default=20, help='number of budgets')
    parser.add_argument('--work-dir', required=True, help='where searches.md, searches.png and result.json go')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    if args.budgets < 1:
        raise ValueError(f'--budgets is {args.budgets}; allowed are numbers from 1 on')
    histories = {}
    for search in args.searches:
        name, separator, folder = search.partition('=')
        if not separator or name in histories:
            raise ValueError(f"'{search}' is no search; write NAME=FOLDER, each name once")
        histories[name] = read_history(folder)
    low = max(min(visit.ops for visit in visits) for visits in histories.values())
    high = min(max(visit.ops for visit in visits) for visits in histories.values())
    if low > high:
        raise ValueError('the searches visited no OPs in common, so that no budget can be given to all of them')
    budgets = np.linspace(low, high, args.budgets)
    curves = {name: mean_best(visits, budgets) for name, visits in histories.items()}
    candidates = min(len(curve) for curve in curves.values())
    rows = sorted({max(1, round(candidates * share)) for share in (0.1, 0.25, 0.5, 1.0)})
    lines = [f"| candidates | {' | '.join(map(str, rows))} |", '|---' * (len(rows) + 1) + '|']
    lines += [f"| {name} | {' | '.join(f'{curve[row - 1]:.2f}' for row in rows)} |" for name, curve in curves.items()]
    folder = Path(args.work_dir)
    replace_text(folder / 'searches.md', '\n'.join(lines) + '\n')
    plot_searches(folder / 'searches.png', curves, 'mean best score over budgets')
    metrics = {name: float(curve[candidates - 1]) for name, curve in curves.items()}
    replace_text(folder / 'result.json', json.dumps(dict(
        metrics=metrics, candidates=candidates, budgets_m=[float(low / 1e6), float(high / 1e6)],
        files=[f'{folder.name}/searches.md', f'{folder.name}/searches.png'])))
    print('\n'.join(lines))


if __name__ == '__main__':
    run_tool(main)
