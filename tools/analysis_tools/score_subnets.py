"""Scores random architectures of a supernet after recalibration: how good are the networks it holds, and how even?

Prints one JSON line with mean, standard deviation, lowest and highest score; scores.json has every architecture's.
"""
import argparse
import json
from pathlib import Path

import numpy as np

from nasbnn_det.arch import Arch
from nasbnn_det.cli import SHAPE_HELP, add_config_options, choose_shape, read_config, run_tool
from nasbnn_det.costs import count_ops
from nasbnn_det.engine.evaluation.offline import build_subnet_evaluator
from nasbnn_det.files import replace_text, result_file
from nasbnn_det.supernet import extract_subnet, load_supernet


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config of the supernet or of its search: data and metrics')
    parser.add_argument('supernet', help='checkpoint of the supernet')
    parser.add_argument('--num', type=int, default=100, help='architectures to draw')
    parser.add_argument('--seed', type=int, default=0, help='of the draw')
    parser.add_argument('--score', default='accuracy/top1', help='metric')
    parser.add_argument('--batches', type=int, default=10, help='training batches for recalibration')
    parser.add_argument('--packed', action='store_true', help='evaluate on the packed kernels, which are faster on a CPU')
    parser.add_argument('--shape', type=int, nargs=2, help=SHAPE_HELP)
    parser.add_argument('--out', help='file with every score; scores.json in the work directory if not given')
    parser.add_argument('--work-dir', default='work_dirs/score_subnets', help='folder of the log and of result.json')
    add_config_options(parser)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    if args.num < 2:
        raise ValueError(f'--num is {args.num}; a spread needs at least 2 architectures')
    result_path = result_file(args.work_dir)
    supernet = load_supernet(args.supernet)
    evaluate = build_subnet_evaluator(read_config(args.config, args.cfg_options), args.work_dir, args.batches, args.packed)
    shape = choose_shape(args.shape, dict(input_size=evaluate.image_size))
    rng = np.random.default_rng(args.seed)
    rows = []
    for _ in range(args.num):
        arch = Arch.random(supernet.space, rng)
        ops = count_ops(arch, shape, supernet.num_classes).ops
        metrics = evaluate(extract_subnet(supernet, arch))
        if args.score not in metrics:
            raise ValueError(f"the evaluator gives no metric '{args.score}'; it gives {', '.join(metrics)}")
        rows.append(dict(ops=ops, score=float(metrics[args.score]), arch=arch.to_dict()))
    scores = np.array([row['score'] for row in rows])
    summary = dict(metric=args.score, num=args.num, seed=args.seed, mean=scores.mean(), std=scores.std(ddof=1),
                   lowest=scores.min(), highest=scores.max())
    scores_file = Path(args.out or Path(args.work_dir) / 'scores.json')
    replace_text(scores_file, json.dumps(dict(summary=summary, subnets=rows), indent=1) + '\n')
    metrics = {f'random_subnets/{key}': summary[key] for key in ('mean', 'std', 'lowest', 'highest')}
    replace_text(result_path, json.dumps(dict(metrics=metrics), indent=1) + '\n')
    print(json.dumps(summary))


if __name__ == '__main__':
    run_tool(main)
