"""Times a training step against the same step on PyTorch's own operators, and a supernet's against ResNet-50's too.

All in one run, in turn, medians of the rounds; prints one JSON line. Peaks of memory are those of processes of their own,
above what they held before their first step. On made images: times do not depend on them. Under torchrun a supernet's step
averages the gradients of all processes, each with its own images, and the first one prints.
"""
import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from typing import Any, Callable, Dict, List

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.dist import all_reduce_params, get_rank, get_world_size
from torch import Tensor, nn

from nasbnn_det.arch import Arch, get_space
from nasbnn_det.cli import keep_memory, run_tool
from nasbnn_det.cli.machine import cpu_name
from nasbnn_det.costs import count_ops
from nasbnn_det.engine.ranks import from_main
from nasbnn_det.native import REFERENCE, current_isa, using_isa
from nasbnn_det.supernet import Supernet, bi_teacher_passes

Step = Callable[[], None]
_CLASSES = 1000
_DRAWN = 400  # random networks, of which those nearest to the wanted operations are taken
#: Config, size of the images in pixels and batch of each network, unless options say otherwise.
_DEFAULTS = dict(
    supernet=(None, 224, 8),
    detector=('configs/detection/rtmdet/rtmdet_nasbnn-57m_8xb16-100e_coco-320.py', 320, 8),
    nasb=('configs/nasb/nasb-search-r18-tiny_1xb64-6e_imagefolder-32.py', 32, 64))


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('network', nargs='?', default='supernet', choices=list(_DEFAULTS),
                        help='supernet: four passes whose gradients add up, the biggest network with real weights, the '
                        'smallest and two between, and a step of Adam; detector: of a config; nasb: a step of the weights '
                        'and one of the alphas of a mixed network')
    parser.add_argument('--config', help='of a detector or a mixed network')
    parser.add_argument('--space', default='imagenet', help="name of the supernet's search space")
    parser.add_argument('--ops', type=float, nargs='+', default=[107e6, 150e6], help='operations of the networks between')
    parser.add_argument('--size', type=int, help='height and width of the images in pixels')
    parser.add_argument('--batch', type=int)
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--no-bf16', dest='bf16', action='store_false', help='leave out the step under bfloat16 autocast')
    parser.add_argument('--profile', metavar='FILE', help="write a table of our step's operators there")
    parser.add_argument('--memory-of', choices=['ours', 'plain', 'resnet50'], help=argparse.SUPPRESS)
    args = parser.parse_args()
    config, size, batch = _DEFAULTS[args.network]
    args.config, args.size, args.batch = args.config or config, args.size or size, args.batch or batch
    return args


def images_of(args: argparse.Namespace) -> Tensor:
    return torch.randn(args.batch, 3, args.size, args.size, generator=torch.Generator().manual_seed(0))


def labels_of(args: argparse.Namespace, classes: int) -> Tensor:
    return torch.randint(classes, (args.batch, ), generator=torch.Generator().manual_seed(1))


def average_gradients(model: nn.Module) -> None:
    """Over all processes."""
    all_reduce_params([p.grad for p in model.parameters() if p.grad is not None], op='mean')


def supernet_step(args: argparse.Namespace) -> Step:
    space = get_space(args.space)
    rng = np.random.default_rng(0)
    drawn = [Arch.random(space, rng) for _ in range(_DRAWN)]
    ops = [count_ops(arch, (args.size, args.size), _CLASSES).ops for arch in drawn]
    between = [drawn[int(np.argmin([abs(o - wanted) for o in ops]))] for wanted in args.ops]
    students = [('smallest', Arch.smallest(space)), *((f'between{i}', arch) for i, arch in enumerate(between))]
    supernet = Supernet(space, _CLASSES)
    optimizer = torch.optim.Adam(supernet.parameters(), 1e-3, fused=True)
    images, labels = images_of(args), labels_of(args, _CLASSES)

    def step() -> None:
        optimizer.zero_grad()
        for _, loss in bi_teacher_passes(supernet, images, labels, Arch.biggest(space), students):
            loss.backward()
        average_gradients(supernet)
        optimizer.step()

    return step


def resnet50_step(args: argparse.Namespace) -> Step:
    from torchvision.models import resnet50
    model = resnet50()
    optimizer = torch.optim.Adam(model.parameters(), 1e-3, fused=True)
    images, labels = images_of(args), labels_of(args, _CLASSES)

    def step() -> None:
        optimizer.zero_grad()
        F.cross_entropy(model(images), labels).backward()
        average_gradients(model)
        optimizer.step()

    return step


def build(path: str) -> nn.Module:
    """The network of a config with random weights."""
    from mmengine.config import Config
    from mmengine.registry import MODELS, init_default_scope
    cfg = Config.fromfile(path)
    init_default_scope(cfg.default_scope)
    for part in cfg.model.values():
        if isinstance(part, dict):
            part.pop('init_cfg', None)
    return MODELS.build(cfg.model).train()


def loss_of(model: nn.Module, images: Tensor, samples: List[Any]) -> Tensor:
    return model.parse_losses(model(images, samples, mode='loss'))[0]


def detector_step(args: argparse.Namespace) -> Step:
    from mmdet.structures import DetDataSample
    from mmengine.structures import InstanceData
    model, images = build(args.config), images_of(args)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3, fused=True)
    generator, shape = torch.Generator().manual_seed(2), (args.size, args.size)

    def samples() -> List[Any]:
        made = []
        for _ in range(args.batch):
            corner, extent = torch.rand(2, 6, 2, generator=generator) * args.size / 2
            boxes = torch.cat([corner, corner + extent.clamp(min=8)], 1)
            made.append(DetDataSample(metainfo=dict(img_shape=shape, pad_shape=shape, batch_input_shape=shape),
                                      gt_instances=InstanceData(bboxes=boxes, labels=torch.zeros(6, dtype=torch.long))))
        return made

    def step() -> None:
        optimizer.zero_grad()
        loss_of(model, images, samples()).backward()
        optimizer.step()

    return step


def nasb_step(args: argparse.Namespace) -> Step:
    from mmpretrain.structures import DataSample

    from nasbnn_det.engine.optim.nasb import alpha_parameters
    from nasbnn_det.nasb.gradient import first_order
    model, images = build(args.config), images_of(args)
    samples = [DataSample().set_gt_label(int(label)) for label in labels_of(args, 2)]
    alphas = alpha_parameters(model)
    own = {id(p) for p in alphas}
    weights = [p for p in model.parameters() if p.requires_grad and id(p) not in own]
    of_weights, of_alphas = torch.optim.Adam(weights, 1e-3, fused=True), torch.optim.Adam(alphas, 1e-3)

    def step() -> None:
        _, gradients = first_order(lambda: loss_of(model, images, samples), alphas, weights)
        for alpha, gradient in zip(alphas, gradients):
            alpha.grad = gradient
        of_alphas.step()
        of_weights.zero_grad()
        loss_of(model, images, samples).backward()
        of_weights.step()

    return step


def steps_of(args: argparse.Namespace) -> Dict[str, Step]:
    """Steps by name."""
    torch.manual_seed(0)
    ours = dict(supernet=supernet_step, detector=detector_step, nasb=nasb_step)[args.network](args)

    def plain() -> None:
        with using_isa(REFERENCE):
            ours()

    def bf16() -> None:
        with torch.autocast('cpu', torch.bfloat16):
            ours()

    steps = dict(ours=ours, plain=plain)
    if args.network == 'supernet':
        steps['resnet50'] = resnet50_step(args)
        if args.bf16:
            steps['ours_bf16'] = bf16
    return steps


def measure(steps: Dict[str, Step], rounds: int) -> Dict[str, float]:
    """Median seconds of each, in turn, after one round that is not counted."""
    seconds: Dict[str, List[float]] = {name: [] for name in steps}
    for i in range(rounds + 1):
        for name, step in steps.items():
            start = time.perf_counter()
            step()
            if i:
                seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def peak_memory(args: argparse.Namespace, name: str) -> float:
    """GB above the start that two steps take, in this process."""
    step = steps_of(args)[name]
    with open('/proc/self/statm', encoding='ascii') as file:
        before = int(file.read().split()[1]) * os.sysconf('SC_PAGE_SIZE') / 1e9
    for _ in range(2):
        step()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9 - before


def measure_memory(name: str) -> float:
    """The same in a new process, alone, with the same options."""
    command = [sys.executable, __file__, *sys.argv[1:], '--memory-of', name]
    env = {key: value for key, value in os.environ.items() if key not in ('RANK', 'WORLD_SIZE')}
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=env).stdout
    return json.loads(output.splitlines()[-1])


def profile(step: Step, path: str) -> None:
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
    # As a training does. Not where peaks are measured: what was free at the start would not count.
    keep_memory()
    supernet = args.network == 'supernet'
    if 'RANK' in os.environ:
        if not supernet:
            raise ValueError(f"'{args.network}' under torchrun; of several processes only a supernet's step is timed")
        torch.distributed.init_process_group('gloo')
    networks = ('ours', 'plain', *(['resnet50'] if supernet else []))
    memory = from_main(lambda: {name: measure_memory(name) for name in networks})
    steps = steps_of(args)
    if args.profile:
        steps['ours']()
        profile(steps['ours'], args.profile)
    seconds = measure(steps, args.rounds)
    ratios = dict(time_to_plain=seconds['ours'] / seconds['plain'], memory_to_plain=memory['ours'] / memory['plain'])
    if supernet:
        ratios = dict(ratio_fp32=seconds['ours'] / seconds['resnet50'], ratio_plain=seconds['plain'] / seconds['resnet50'],
                      ratio_bf16=seconds['ours_bf16'] / seconds['resnet50'] if args.bf16 else None, **ratios)
    if get_rank():
        return
    print(json.dumps(dict(
        network=args.network, **ratios, peak_memory_gb=memory['ours'], memory_gb=memory, seconds=seconds, config=args.config,
        space=args.space if supernet else None, size=args.size, batch=args.batch, processes=get_world_size(),
        threads=args.threads, rounds=args.rounds, isa=current_isa(), cpu=cpu_name(), torch=torch.__version__)))


if __name__ == '__main__':
    run_tool(main)
