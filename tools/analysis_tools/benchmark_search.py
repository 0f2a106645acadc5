"""Times the evaluation of one candidate of a search against a ResNet-18's plain forward over the same images.

A candidate's evaluation is its extraction, batch norm recalibration and validation, as the search does them; the
ResNet-18 is torchvision's, in evaluation mode. Both run in turn in one process; prints one JSON line with the medians.
"""
import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Callable, List

import torch
from mmengine.evaluator import Evaluator
from mmengine.logging import MMLogger
from mmpretrain.datasets import CustomDataset
from mmpretrain.evaluation import Accuracy
from mmpretrain.models import ClsDataPreprocessor
from torch.utils.data import DataLoader
from torchvision.models import resnet18

from nasbnn_det.arch import Arch, load_arch
from nasbnn_det.arch.front import split_limit
from nasbnn_det.cli import run_tool
from nasbnn_det.costs import count_ops
from nasbnn_det.engine.evaluation.subnet_evaluator import SubnetEvaluator
from nasbnn_det.runtime import current_isa
from nasbnn_det.supernet import InferenceSubnet, PackedInferenceSubnet, Supernet, extract_subnet


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('data_root', help='folder with train/CLASS/* and val/CLASS/*, images of one size')
    parser.add_argument('--arch', required=True,
                        help="architecture file, front file, or FILE#107 of a JSON with the release's rows per archs")
    parser.add_argument('--batch-size', type=int, default=256)
    parser.add_argument('--batches', type=int, default=10, help='training batches for recalibration')
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--packed', action='store_true', help='evaluate the candidate on the packed kernels')
    return parser.parse_args()


def read_arch(spec: str) -> Arch:
    """An architecture as configs name it, or the one of a list of release rows that is nearest to some OPs."""
    path, target = split_limit(spec)
    try:
        data = json.loads(Path(path).read_text(encoding='utf-8'))
    except (FileNotFoundError, ValueError) as error:
        raise ValueError(f"'{path}' can't be read ({error}); allowed is an architecture, a front, or a JSON of archs"
                         ) from error
    if not isinstance(data, dict) or 'archs' not in data:
        return load_arch(spec)
    row = min(data['archs'], key=lambda a: abs(a['ops_m'] - float(target or 0)))
    return Arch.from_release(row['rows'], data['search_space'])


def dataset(root: Path) -> CustomDataset:
    """The images of a folder, as they are."""
    return CustomDataset(data_root=str(root), pipeline=[dict(type='LoadImageFromFile'), dict(type='PackInputs')])


def seconds(run: Callable[[], None]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def main() -> None:
    args = parse_args()
    MMLogger.get_instance('benchmark', log_level='WARNING')  # prints nothing beside the result
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    arch = read_arch(args.arch)
    train, val = dataset(Path(args.data_root) / 'train'), dataset(Path(args.data_root) / 'val')
    classes = len(val.CLASSES)
    loaders = [DataLoader(d, args.batch_size, collate_fn=_collate) for d in (train, val)]
    preprocess = ClsDataPreprocessor(num_classes=classes, mean=[127.5] * 3, std=[127.5] * 3)
    evaluate = SubnetEvaluator(preprocess, loaders[0], args.batches, loaders[1], Evaluator(Accuracy(topk=(1, ))),
                               prepare=PackedInferenceSubnet if args.packed else InferenceSubnet)
    supernet = Supernet(arch.space, classes).eval()
    evaluate(extract_subnet(supernet, arch))
    images = [*evaluate.recalibration_batches(), *(batch for batch, _ in evaluate.validation_batches())]
    resnet = resnet18(num_classes=classes).eval()

    @torch.inference_mode()
    def forward() -> None:
        for batch in images:
            resnet(batch)

    forward()
    times: List[List[float]] = [[], []]
    for _ in range(args.rounds):
        times[0].append(seconds(lambda: evaluate(extract_subnet(supernet, arch))))
        times[1].append(seconds(forward))
    candidate, reference = map(statistics.median, times)
    size = tuple(images[0].shape[2:])
    print(json.dumps(dict(
        packed=current_isa() if args.packed else None, candidate_seconds=candidate, resnet18_seconds=reference,
        ratio=candidate / reference,
        images=sum(map(len, images)), input_size=size, ops_m=count_ops(arch, size, classes).ops / 1e6,
        ops_m_224=count_ops(arch, (224, 224), 1000).ops / 1e6, threads=args.threads, rounds=args.rounds,
        torch=torch.__version__, cpu=torch.backends.cpu.get_cpu_capability())))


def _collate(rows: list) -> dict:
    return dict(inputs=[row['inputs'] for row in rows], data_samples=[row['data_samples'] for row in rows])


if __name__ == '__main__':
    run_tool(main)
