"""Times of mmcv's operators made of torchvision's, and of the compiled ones where they are installed; prints JSON.

    OMP_NUM_THREADS=1 python benchmark.py [--rounds 20]
"""
import argparse
import json
import platform
import time
from importlib.machinery import ExtensionFileLoader, SourceFileLoader
from pathlib import Path

import torch
from mmcv import _ext

# The file beside this one, whatever is installed.
operators = SourceFileLoader('operators', f'{Path(__file__).parent}/mmcv_torchvision_ops/operators.py').load_module()


def made_calls() -> dict:
    """Name of a case -> function of a module of operators, sizes as in a detector's test and training."""
    generator = torch.Generator().manual_seed(0)
    calls = {}
    for count in (100, 1000, 5000):
        corners = torch.rand(count, 2, generator=generator) * 600
        boxes = torch.cat([corners, corners + torch.rand(count, 2, generator=generator) * 100], 1)
        scores = torch.rand(count, generator=generator)
        calls[f'nms, {count} boxes'] = lambda ops, b=boxes, s=scores: ops.nms(b, s, iou_threshold=.6, offset=0)
        if count <= 1000:
            calls[f'softnms, {count} boxes'] = lambda ops, b=boxes, s=scores: ops.softnms(
                b, s, torch.zeros(len(b), 5), iou_threshold=.3, sigma=.5, min_score=.05, method=1, offset=0)
    features, empty = torch.randn(2, 64, 80, 80, generator=generator), torch.zeros(0)
    rois = torch.cat([torch.arange(200)[:, None] % 2, boxes[:200]], 1)
    setting = dict(aligned_height=7, aligned_width=7, spatial_scale=.125, sampling_ratio=0, pool_mode=1, aligned=True)
    pooled = torch.zeros(200, 64, 7, 7)
    calls['roi_align_forward, 200 boxes'] = lambda ops: ops.roi_align_forward(
        features, rois, pooled, empty, empty, **setting)
    calls['roi_align_backward, 200 boxes'] = lambda ops: ops.roi_align_backward(
        torch.ones_like(pooled), rois, empty, empty, torch.zeros_like(features), **setting)
    return calls


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--rounds', type=int, default=20)
    rounds = parser.parse_args().rounds
    modules = {'torchvision': operators}
    if isinstance(_ext.__loader__, ExtensionFileLoader):
        modules['compiled'] = _ext
    times = {}
    for case, call in made_calls().items():
        seconds = {name: [] for name in modules}
        for _ in range(rounds + 1):  # in turns, so that both meet the same load
            for name, module in modules.items():
                start = time.perf_counter()
                call(module)
                seconds[name].append(time.perf_counter() - start)
        # The fastest, as nothing makes a call faster than it is.
        times[case] = {name: round(min(values[1:]) * 1e3, 4) for name, values in seconds.items()}
    print(json.dumps({'unit': 'ms', 'threads': torch.get_num_threads(), 'torch': torch.__version__,
                      'machine': platform.machine(), 'times': times}, indent=2))


if __name__ == '__main__':
    main()
