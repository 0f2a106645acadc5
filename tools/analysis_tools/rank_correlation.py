"""Kendall's tau between the scores architectures inherit from a supernet and those of training each one alone.

Takes the file score_subnets.py wrote, trains some of its architectures from random weights by a fine-tuning config, each
in a folder of its own (a finished one is not trained again), and prints one JSON line. ``kendall_tau_std`` is how much tau
varies with the choice of the architectures, by bootstrap.
"""
import argparse
import json
from pathlib import Path
from typing import Sequence

import numpy as np
from mmengine.runner import Runner
from scipy.stats import bootstrap, kendalltau

from nasbnn_det.cli import add_config_options, read_config, run_tool
from nasbnn_det.files import replace_text, result_file


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config of a found network as a classifier')
    parser.add_argument('scores', help='JSON file of score_subnets.py')
    parser.add_argument('--num', type=int, default=8, help='architectures to train, evenly spread over the OPs')
    parser.add_argument('--work-dir', default='work_dirs/rank_correlation', help='folder of the trainings')
    add_config_options(parser)
    return parser.parse_args()


def read_scores(path: str) -> dict:
    """What score_subnets.py wrote."""
    try:
        scores = json.loads(Path(path).read_text(encoding='utf-8'))
        return dict(subnets=scores['subnets'], summary=scores['summary'])
    except (FileNotFoundError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"'{path}' can't be read as scores ({error!r}); allowed is what score_subnets.py wrote") from error


def choose(subnets: list, num: int) -> list:
    """Architectures spread evenly over the ranks of their OPs."""
    if not 3 <= num <= len(subnets):
        raise ValueError(f'--num is {num}; allowed are 3 to {len(subnets)}, the architectures in the file')
    ordered = sorted(subnets, key=lambda row: row['ops'])
    return [ordered[i] for i in np.linspace(0, len(ordered) - 1, num).round().astype(int)]


def train_alone(row: dict, folder: Path, args: argparse.Namespace) -> float:
    """The score of an architecture trained from random weights."""
    result = folder / 'result.json'
    if result.is_file():
        stored = json.loads(result.read_text(encoding='utf-8'))
        if stored['arch'] != row['arch']:
            raise ValueError(f"'{result}' is of another architecture; move '{folder.parent}' away or name another "
                             '--work-dir')
        return stored['score']
    cfg = read_config(args.config, args.cfg_options)
    cfg.work_dir, cfg.experiment_name = str(folder), folder.name
    last_stage = (len(row['arch']['stages']) - 1, )
    cfg.model.backbone.update(arch=row['arch'], out_indices=last_stage, init_cfg=None)
    cfg.model.head.init_cfg = None
    runner = Runner.from_cfg(cfg)
    runner.train()
    score = float(runner.val_loop.run()[args.score])
    replace_text(result, json.dumps(dict(row, inherited=row['score'], score=score)) + '\n')
    return score


def spread_of_tau(inherited: Sequence[float], alone: Sequence[float]) -> float:
    """Standard deviation of tau over architectures drawn again from these."""
    draws = bootstrap((inherited, alone), lambda x, y: kendalltau(x, y).statistic, paired=True, vectorized=False,
                      n_resamples=999, method='percentile', random_state=0).bootstrap_distribution
    return float(np.nanstd(draws))  # no number where a draw holds one architecture alone


def main() -> None:
    args = parse_args()
    scores = read_scores(args.scores)
    result_path = result_file(args.work_dir)
    chosen = choose(scores['subnets'], args.num)
    args.score = scores['summary']['metric']
    alone = [train_alone(row, Path(args.work_dir) / f'{i:02d}', args) for i, row in enumerate(chosen)]
    inherited = [row['score'] for row in chosen]
    found = kendalltau(inherited, alone)
    spread = spread_of_tau(inherited, alone)
    metrics = {'rank/kendall_tau': found.statistic, 'rank/kendall_tau_std': spread, 'rank/p_value': found.pvalue}
    replace_text(result_path, json.dumps(dict(metrics=metrics), indent=1) + '\n')
    print(json.dumps(dict(kendall_tau=found.statistic, kendall_tau_std=spread, p_value=found.pvalue, num=args.num,
                          inherited=inherited, alone=alone, ops=[row['ops'] for row in chosen])))


if __name__ == '__main__':
    run_tool(main)
