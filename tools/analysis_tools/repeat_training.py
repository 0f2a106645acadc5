"""Trains one config with several seeds: a JSON line per run, with its last validation and the network's operations.

Runs that are in the file already are skipped, so that a broken series goes on, and so are seeds that another process trains
at that time. Prints mean and spread at the end; compare_runs.py NAME=WORK_DIR draws the curves.
"""
import argparse
import json
import time
from pathlib import Path

import numpy as np
from mmengine.runner import Runner

from nasbnn_det.cli import SHAPE_HELP, add_config_options, choose_shape, file_info, read_config, run_tool
from nasbnn_det.costs.module_ops import count_model_ops, total
from nasbnn_det.files import locked, replace_text, result_file
from nasbnn_det.nasb import count_params


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='train config file path')
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2], help='a training each')
    parser.add_argument('--score', help='metric; default: coco/bbox_mAP of a detector, else accuracy/top1')
    parser.add_argument('--shape', type=int, nargs=2, help=SHAPE_HELP)
    parser.add_argument(
        '--work-dir', default='work_dirs/repeat_training', help='folder of the trainings and of runs.jsonl')
    add_config_options(parser)
    return parser.parse_args()


def read_runs(path: Path) -> list:
    """The runs of an earlier start."""
    return [json.loads(line) for line in path.read_text(encoding='utf-8').splitlines()] if path.is_file() else []


def add_run(path: Path, run: dict) -> None:
    """Adds a line; several processes may do so at a time."""
    with locked(path.with_suffix('.lock')):
        replace_text(path, ''.join(json.dumps(row) + '\n' for row in [*read_runs(path), run]))


def train(args: argparse.Namespace, seed: int) -> dict:
    """One training from its beginning; the facts about it."""
    cfg = read_config(args.config, args.cfg_options)
    backbone = cfg.model.get('backbone', {})
    shape = choose_shape(args.shape, *(file_info(backbone.get(key)) for key in ('arch', 'cells')))
    cfg.work_dir = str(Path(args.work_dir) / f'seed{seed}')
    cfg.experiment_name = f'{Path(args.work_dir).name}_seed{seed}'
    cfg.randomness = dict(cfg.get('randomness', {}), seed=seed)
    runner = Runner.from_cfg(cfg)
    start = time.monotonic()
    runner.train()
    seconds = time.monotonic() - start
    metrics = runner.val_loop.run()
    name = args.score or ('coco/bbox_mAP' if cfg.get('default_scope') == 'mmdet' else 'accuracy/top1')
    if name not in metrics:
        raise ValueError(f"the validation gives no '{name}', but {', '.join(metrics) or 'nothing at all'}; name one by "
                         '--score')
    ops = total(count_model_ops(runner.model, shape))
    params = count_params(runner.model)
    return dict(seed=seed, score=float(metrics[name]), seconds=round(seconds), ops=ops.ops, bops=ops.bops,
                params=params.total, bytes=params.bytes)


def main() -> None:
    args = parse_args()
    path = Path(args.work_dir) / 'runs.jsonl'
    result_path = result_file(args.work_dir)
    for seed in args.seeds:
        with locked(path.with_name(f'seed{seed}.lock'), wait=False) as is_mine:
            if not is_mine:
                print(f'seed {seed} is left to the process that trains it')
            elif seed not in [run['seed'] for run in read_runs(path)]:
                add_run(path, train(args, seed))
    runs = sorted(read_runs(path), key=lambda run: run['seed'])
    if not any(run['seed'] in args.seeds for run in runs):
        raise ValueError(f'no training of the seeds {args.seeds} is finished yet; other processes are at work on them')
    scores = np.array([run['score'] for run in runs if run['seed'] in args.seeds])
    metrics = {'runs/mean': scores.mean(), 'runs/std': scores.std(ddof=1) if len(scores) > 1 else 0.0,
               'runs/lowest': scores.min(), 'runs/highest': scores.max()}
    ops = dict(ops_m=runs[0]['ops'] / 1e6, bops_m=runs[0]['bops'] / 1e6, params_k=runs[0]['params'] / 1e3)
    replace_text(result_path, json.dumps(dict(metrics=metrics, ops=ops), indent=1) + '\n')
    print(json.dumps(dict(metrics, **ops, num=len(scores))))


if __name__ == '__main__':
    run_tool(main)
