"""Times a supernet's training step over batches, image sizes and processes by benchmark_train.py, and draws what it found.

Writes a picture and, beside it, a JSON file with every line of benchmark_train.py; prints their names.
"""
import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List

from nasbnn_det.cli import run_tool
from nasbnn_det.files import replace_text
from nasbnn_det.visualization.training_cost import plot_training_cost

_BENCHMARK = Path(__file__).resolve().with_name('benchmark_train.py')


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--space', default='tiny', help='name of the search space')
    parser.add_argument('--ops', type=float, nargs='+', default=[0.4e6, 0.8e6], help='operations of the networks between')
    parser.add_argument('--size', type=int, default=64, help='height and width of the images where the batch changes')
    parser.add_argument('--batch', type=int, default=64, help='images a step where the size or the processes change')
    parser.add_argument('--batches', type=int, nargs='+', default=[8, 16, 32, 64, 128, 256])
    parser.add_argument('--sizes', type=int, nargs='+', default=[32, 48, 64, 96, 128])
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--threads', type=int, default=2, help='of one process; two processes have half of them each')
    parser.add_argument('--out', required=True, help='PNG file to write')
    args = parser.parse_args()
    if args.batch % 2 or args.threads % 2:
        parser.error('--batch and --threads are divided by two processes; allowed are even numbers')
    return args


def measure(args: argparse.Namespace, size: int, batch: int, processes: int = 1) -> Dict[str, Any]:
    """A line of benchmark_train.py; ``batch`` is that of all processes."""
    launcher = ['-m', 'torch.distributed.run', '--standalone', f'--nproc_per_node={processes}'] if processes > 1 else []
    command = [sys.executable, *launcher, str(_BENCHMARK), 'supernet', '--no-bf16', '--space', args.space, '--ops',
               *map(str, args.ops), '--size', str(size), '--batch', str(batch // processes), '--rounds', str(args.rounds),
               '--threads', str(args.threads // processes)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1])


def main() -> None:
    args = parse_args()
    found: Dict[str, List[Dict[str, Any]]] = dict(
        batch=[measure(args, args.size, batch) for batch in args.batches],
        size=[measure(args, size, args.batch) for size in args.sizes],
        processes=[measure(args, args.size, args.batch, processes) for processes in (1, 2)])
    lines = Path(args.out).with_suffix('.json')
    replace_text(lines, json.dumps(found, indent=1) + '\n')
    plot_training_cost(args.out, found)
    print(f'{args.out}, {lines}')


if __name__ == '__main__':
    run_tool(main)
