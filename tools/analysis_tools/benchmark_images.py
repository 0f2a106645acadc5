"""What a search pays for its images: time of the first candidate and of later ones, memory, images decoded.

Makes noise images and scores a network on them twice, as a search does, with the images in memory or in a file. Prints
one JSON line. Memory is the peak of the process's resident set; its share of the system's file cache is none, as the file
of decoded images is read and not mapped. The network's own is the peak of the same network on random images of the same
batches, none of them kept. For ImageNet's 50,000 validation images it is computed: what was measured, and for each further
image the label and the result with 1,000 scores, which the metric keeps to the end, measured by themselves.
"""
import argparse
import json
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Callable, Dict, Tuple

import cv2
import numpy as np
import torch
from mmengine.dataset import pseudo_collate
from mmengine.evaluator import Evaluator
from mmengine.logging import MMLogger
from mmpretrain.datasets import CustomDataset
from mmpretrain.evaluation import Accuracy
from mmpretrain.models import ClsDataPreprocessor
from mmpretrain.structures import DataSample
from torch.utils.data import DataLoader

from nasbnn_det.arch import SPACES, Arch, load_arch
from nasbnn_det.cli import run_tool
from nasbnn_det.engine.evaluation.stored_images import ImageCache
from nasbnn_det.engine.evaluation.subnet_evaluator import SubnetEvaluator
from nasbnn_det.supernet import PackedInferenceSubnet, Supernet, extract_subnet

_CLASSES = 1000


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--arch', help="architecture or front file; not given, the smallest of the space 'tiny'")
    parser.add_argument('--images', type=int, default=2000, help='validation images to make')
    parser.add_argument('--size', type=int, default=256, help='their height and width in pixels')
    parser.add_argument('--memory', type=float, default=1 << 30, help='bytes of a set of images that may stay in memory')
    parser.add_argument('--batch-size', type=int, default=64)
    parser.add_argument('--batches', type=int, default=2, help='batches for recalibration')
    parser.add_argument('--threads', type=int, default=2)
    return parser.parse_args()


class CountingDataset(CustomDataset):
    """Counts what it decodes."""

    decoded = 0

    def prepare_data(self, idx: int) -> Any:
        """One image through the pipeline."""
        self.decoded += 1
        return super().prepare_data(idx)


def make_images(folder: Path, number: int, size: int) -> None:
    """JPEGs of smooth noise, in two classes."""
    rng = np.random.default_rng(0)
    for name in 'ab':
        (folder / name).mkdir(parents=True)
    for i in range(number):
        image = cv2.resize(rng.integers(0, 256, (size // 8, size // 8, 3), dtype=np.uint8), (size, size))
        cv2.imwrite(str(folder / 'ab'[i % 2] / f'{i}.jpg'), image)


def measured(run: Callable[[], Any]) -> Tuple[float, float, Any]:
    """Seconds and the peak of the resident set in MB, while something runs; and its result."""
    Path('/proc/self/clear_refs').write_text('5')  # the peak begins anew
    start = time.perf_counter()
    result = run()
    seconds = time.perf_counter() - start
    return seconds, _status('VmHWM'), result


def _status(key: str, file: str = 'status') -> float:
    line = next(line for line in Path('/proc/self', file).read_text().splitlines() if line.startswith(key + ':'))
    return int(line.split()[1]) / 1e3


def evaluate_twice(args: argparse.Namespace, arch: Arch, folder: Path, images: int) -> Dict[str, float]:
    """The first and the second candidate of a search."""
    MMLogger.get_instance('benchmark', log_level='WARNING')  # prints nothing beside the result
    torch.set_num_threads(args.threads)
    make_images(folder / 'data', images, args.size)
    dataset = CountingDataset(data_root=str(folder / 'data'),
                              pipeline=[dict(type='LoadImageFromFile'), dict(type='PackInputs')])
    loader = DataLoader(dataset, args.batch_size, collate_fn=pseudo_collate)
    supernet = Supernet(arch.space, _CLASSES).eval()

    def build() -> SubnetEvaluator:
        return SubnetEvaluator(
            ClsDataPreprocessor(mean=[127.5] * 3, std=[127.5] * 3), loader, args.batches, loader,
            Evaluator(Accuracy(topk=(1, ))), prepare=PackedInferenceSubnet, cache=ImageCache(folder / 'images', args.memory))

    @torch.inference_mode()
    def alone() -> None:
        network = PackedInferenceSubnet(extract_subnet(supernet, arch))
        network.recalibrate(torch.randn(args.batch_size, 3, args.size, args.size) for _ in range(args.batches))
        for _ in range(2):
            network(torch.randn(args.batch_size, 3, args.size, args.size))

    alone()
    _, network_mb, _ = measured(alone)
    loading, _, evaluate = measured(build)
    first, first_mb, _ = measured(lambda: evaluate(extract_subnet(supernet, arch)))
    decoded = dataset.decoded
    second, second_mb, _ = measured(lambda: evaluate(extract_subnet(supernet, arch)))
    return dict(
        images=images, first_seconds=loading + first, second_seconds=second, ratio=second / (loading + first),
        decoded_by_first=decoded, decoded_by_second=dataset.decoded - decoded, network_peak_mb=network_mb,
        above_network_mb=max(first_mb, second_mb) - network_mb, pss_mb=_status('Pss', 'smaps_rollup'),
        images_mb=images * 3 * args.size**2 / 1e6)


def kb_per_result(number: int = 5000) -> float:
    """Memory of an image's label and scores until the metric is computed."""
    metric = Accuracy(topk=(1, ))
    before, labels = _status('VmRSS'), [[i % _CLASSES] for i in range(number)]
    for start in range(0, number, 100):
        scores = torch.rand(100, _CLASSES)
        metric.process([], [DataSample().set_gt_label(label).set_pred_score(row).set_pred_label(row.argmax()).to_dict()
                            for label, row in zip(labels[start:start + 100], scores)])
    return 1e3 * (_status('VmRSS') - before) / number


def main() -> None:
    args = parse_args()
    arch = load_arch(args.arch) if args.arch else Arch.smallest(SPACES['tiny'])
    each = kb_per_result()
    # A process of its own: what is left in this one's heap would hide what that one needs.
    with tempfile.TemporaryDirectory() as folder, ProcessPoolExecutor(1, get_context('spawn')) as pool:
        row = pool.submit(evaluate_twice, args, arch, Path(folder), args.images).result()
    in_file = row['images_mb'] > args.memory / 1e6
    row.update(memory_limit_mb=args.memory / 1e6, kb_per_result=each)
    if in_file:
        row['above_network_gb_for_50000'] = row['above_network_mb'] / 1e3 + each * (50_000 - args.images) / 1e6
    print(json.dumps({key: round(value, 4) for key, value in row.items()}))


if __name__ == '__main__':
    run_tool(main)
