"""Times a supernet's training step against the same step on PyTorch's own operators, and against ResNet-50's.

All in one run, in turn, medians of the rounds; prints one JSON line. A supernet's step is four passes whose gradients add
up, the biggest network with real weights, the smallest and two between, and one step of Adam. Peaks of memory are those of
processes of their own, above what they held before their first step.
"""
import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import Callable, Dict, Iterator, List

import numpy as np
import torch
import torch.nn.functional as F

from nasbnn_det.arch import Arch, get_space
from nasbnn_det.cli import run_tool
from nasbnn_det.cli.machine import cpu_name
from nasbnn_det.costs import count_ops
from nasbnn_det.native import ISA_VARIABLE, REFERENCE, current_isa
from nasbnn_det.supernet import Supernet, bi_teacher_passes

_CLASSES = 1000
_DRAWN = 400  # random networks, of which those nearest to the wanted operations are taken


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--space', default='imagenet', help='name of the search space')
    parser.add_argument('--size', type=int, default=224, help='height and width of the images in pixels')
    parser.add_argument('--batch', type=int, default=8)
    parser.add_argument('--ops', type=float, nargs='+', default=[107e6, 150e6], help='operations of the networks between')
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--no-bf16', dest='bf16', action='store_false', help='leave out the step under bfloat16 autocast')
    parser.add_argument('--profile', metavar='FILE', help="write a table of our step's operators there")
    parser.add_argument('--memory-of', choices=['ours', 'plain', 'resnet50'], help=argparse.SUPPRESS)
    return parser.parse_args()


@contextmanager
def isa(name: str) -> Iterator[None]:
    """Another instruction set for a while."""
    before = os.environ.get(ISA_VARIABLE)
    os.environ[ISA_VARIABLE] = name
    yield
    os.environ.pop(ISA_VARIABLE) if before is None else os.environ.update({ISA_VARIABLE: before})


def supernet_step(args: argparse.Namespace) -> Callable[[], None]:
    """A step of the supernet."""
    space = get_space(args.space)
    rng = np.random.default_rng(0)
    drawn = [Arch.random(space, rng) for _ in range(_DRAWN)]
    ops = [count_ops(arch, (args.size, args.size), _CLASSES).ops for arch in drawn]
    between = [drawn[int(np.argmin([abs(o - wanted) for o in ops]))] for wanted in args.ops]
    students = [('smallest', Arch.smallest(space)), *((f'between{i}', arch) for i, arch in enumerate(between))]
    torch.manual_seed(0)
    supernet = Supernet(space, _CLASSES)
    optimizer = torch.optim.Adam(supernet.parameters(), 1e-3)
    images, labels = _batch(args)

    def step() -> None:
        optimizer.zero_grad()
        for _, loss in bi_teacher_passes(supernet, images, labels, Arch.biggest(space), students):
            loss.backward()
        optimizer.step()

    return step


def resnet50_step(args: argparse.Namespace) -> Callable[[], None]:
    """A step of torchvision's ResNet-50."""
    from torchvision.models import resnet50
    torch.manual_seed(0)
    model = resnet50()
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    images, labels = _batch(args)

    def step() -> None:
        optimizer.zero_grad()
        F.cross_entropy(model(images), labels).backward()
        optimizer.step()

    return step


def _batch(args: argparse.Namespace) -> tuple:
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(args.batch, 3, args.size, args.size, generator=generator)
    return images, torch.randint(_CLASSES, (args.batch, ), generator=generator)


def steps_of(args: argparse.Namespace) -> Dict[str, Callable[[], None]]:
    """Steps by name."""
    ours = supernet_step(args)

    def plain() -> None:
        with isa(REFERENCE):
            ours()

    def bf16() -> None:
        with torch.autocast('cpu', torch.bfloat16):
            ours()

    steps = dict(ours=ours, plain=plain, resnet50=resnet50_step(args))
    return dict(steps, ours_bf16=bf16) if args.bf16 else steps


def measure(steps: Dict[str, Callable[[], None]], rounds: int) -> Dict[str, List[float]]:
    """Seconds of each, in turn, after one round that is not counted."""
    seconds: Dict[str, List[float]] = {name: [] for name in steps}
    for i in range(rounds + 1):
        for name, step in steps.items():
            start = time.perf_counter()
            step()
            if i:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def peak_memory(args: argparse.Namespace, name: str) -> float:
    """GB above the start that two steps take, in this process."""
    step = steps_of(args)[name]
    before = _resident()
    for _ in range(2):
        step()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9 - before


def _resident() -> float:
    with open('/proc/self/statm', encoding='ascii') as file:
        return int(file.read().split()[1]) * os.sysconf('SC_PAGE_SIZE') / 1e9


def measure_memory(name: str) -> float:
    """The same in a new process with the same options."""
    command = [sys.executable, __file__, *sys.argv[1:], '--memory-of', name]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def profile(step: Callable[[], None], path: str) -> None:
    """Writes a table of a step's operators."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as trace:
        step()
    with open(path, 'w', encoding='utf-8') as file:
        file.write(trace.key_averages().table(sort_by='self_cpu_time_total', row_limit=40))


def main() -> None:
    args = parse_args()
    torch.set_num_threads(args.threads)
    if args.memory_of:
        print(json.dumps(peak_memory(args, args.memory_of)))
        return
    memory = {name: measure_memory(name) for name in ('ours', 'plain', 'resnet50')}
    steps = steps_of(args)
    if args.profile:
        steps['ours']()
        profile(steps['ours'], args.profile)
    seconds = {name: statistics.median(values) for name, values in measure(steps, args.rounds).items()}
    ratio = {name: value / seconds['resnet50'] for name, value in seconds.items()}
    print(json.dumps(dict(
        ratio_fp32=ratio['ours'], ratio_plain=ratio['plain'], ratio_bf16=ratio.get('ours_bf16'),
        peak_memory_gb=memory['ours'], peak_memory_plain_gb=memory['plain'],
        peak_memory_resnet50_gb=memory['resnet50'], seconds=seconds, space=args.space,
        size=args.size, batch=args.batch, threads=args.threads, rounds=args.rounds, isa=current_isa(), cpu=cpu_name(),
        torch=torch.__version__)))


if __name__ == '__main__':
    run_tool(main)
