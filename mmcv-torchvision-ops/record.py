"""Records what mmcv's compiled operators return; run it in an environment that has them.

    python record.py SOURCE OUT.npz

SOURCE is mmcv's source folder with ``ops/csrc``: the focal loss exists for GPUs only, so its kernel's own text is compiled
here for the CPU, by ``c++``.
"""
import ctypes
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from mmcv import _ext

CASES = {}
_FOCAL = """
#include <algorithm>
#include <cfloat>
#include <cmath>
#include <cstdint>
using std::max; using std::pow; using std::log; using std::exp;
#define __global__
#define CUDA_1D_KERNEL_LOOP(i, n) for (int i = 0; i < (n); i++)
%s
extern "C" void forward(int n, const float* x, const int64_t* t, const float* w, float* y, float g, float a, int c) {
  sigmoid_focal_loss_forward_cuda_kernel<float>(n, x, t, w, y, g, a, c);
}
extern "C" void backward(int n, const float* x, const int64_t* t, const float* w, float* y, float g, float a, int c) {
  sigmoid_focal_loss_backward_cuda_kernel<float>(n, x, t, w, y, g, a, c);
}
"""


def keep(name: str, **values) -> None:
    for key, value in values.items():
        CASES[f'{name}/{key}'] = np.asarray(value)


def made_boxes(rng, count: int, whole: bool) -> np.ndarray:
    corners = rng.uniform(0, 60, (count, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(0, 40, (count, 2))], 1)
    return (boxes.round() if whole else boxes).astype(np.float32)


def record_nms(rng) -> None:
    """Boxes of whole pixels give equal IoUs and IoUs equal to the threshold; few levels give equal scores."""
    cases = [(0, 0, 0, .5), (1, 0, 0, .5), (200, 0, 0, .5), (200, 0, 1, .5), (200, 8, 0, .6), (200, 8, 1, .7),
             (12, 2, 0, .5), (60, 1, 0, .25), (600, 0, 0, 1 / 3)]
    for number, (count, levels, offset, threshold) in enumerate(cases):
        boxes = made_boxes(rng, count, whole=number % 2 == 0 or levels > 0)
        boxes[count // 2:count // 2 + 4, 2:] = boxes[count // 2:count // 2 + 4, :2]  # without area
        scores = rng.random(count).astype(np.float32)
        if levels:
            scores = np.ceil(scores * levels) / np.float32(levels)
        boxes_t, scores_t = torch.from_numpy(boxes), torch.from_numpy(scores)
        kept = _ext.nms(boxes_t, scores_t, iou_threshold=threshold, offset=offset)
        keep(f'nms_{number}', boxes=boxes, scores=scores, threshold=threshold, offset=offset, kept=kept,
             order=scores_t.sort(0, descending=True)[1])
        for method in range(3):
            dets = torch.zeros(count, 5)
            kept = _ext.softnms(boxes_t, scores_t, dets, iou_threshold=threshold, sigma=.5, min_score=.05, method=method,
                                offset=offset)
            keep(f'softnms_{number}_{method}', kept=kept, scores=dets[:len(kept), 4])


def record_roi_align(rng) -> None:
    features = torch.from_numpy(rng.normal(size=(2, 3, 12, 10)).astype(np.float32))
    boxes = made_boxes(rng, 9, whole=False)
    boxes[0], boxes[1, 2:], boxes[2] = (-30, -30, 150, 150), boxes[1, :2], (96, 80, 96, 80)  # over the border, empty, beyond
    rois = np.concatenate([rng.integers(0, 2, (9, 1)), boxes], 1).astype(np.float32)
    for number, (count, aligned, ratio, size) in enumerate(
            (count, aligned, ratio, size) for count, size in ((9, (7, 7)), (9, (2, 3)), (0, (7, 7)))
            for aligned in (True, False) for ratio in (0, 2)):
        rois_t = torch.from_numpy(rois[:count])
        output = features.new_zeros(count, 3, *size)
        empty = features.new_zeros(0)
        setting = dict(aligned_height=size[0], aligned_width=size[1], spatial_scale=.125, sampling_ratio=ratio, pool_mode=1,
                       aligned=aligned)
        _ext.roi_align_forward(features, rois_t, output, empty, empty, **setting)
        grad_output = torch.from_numpy(rng.normal(size=tuple(output.shape)).astype(np.float32))
        grad_input = torch.zeros_like(features)
        _ext.roi_align_backward(grad_output, rois_t, empty, empty, grad_input, **setting)
        keep(f'roi_align_{number}', features=features, rois=rois_t, size=size, ratio=ratio, aligned=aligned, output=output,
             grad_output=grad_output, grad_input=grad_input)


def record_focal_loss(rng, source: Path) -> None:
    kernel = (source / 'ops/csrc/common/cuda/sigmoid_focal_loss_cuda_kernel.cuh').read_text()
    kernel = '\n'.join(line for line in kernel.splitlines() if not line.startswith('#'))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, 'focal.cpp')
        path.write_text(_FOCAL % kernel)
        subprocess.run(['c++', '-O1', '-shared', '-fPIC', path, '-o', path.with_suffix('.so')], check=True)
        library = ctypes.CDLL(str(path.with_suffix('.so')))

    def pointer(values):
        return None if values is None else ctypes.c_void_p(values.ctypes.data)

    cases = [(False, 2., .25), (False, 0., .5), (False, 1.5, .75), (True, 2., .25)]
    for number, (weighted, gamma, alpha) in enumerate(cases):
        logits = (rng.normal(size=(40, 5)) * 4).astype(np.float32)
        logits[0] = (-120, -60, 0, 60, 120)
        targets = rng.integers(0, 5 if weighted else 6, 40)  # 5 is the background
        if not weighted:
            targets[-4:] = -1
        weight = rng.random(5).astype(np.float32) if weighted else None
        results = {}
        for name in ('forward', 'backward'):
            results[name] = np.zeros_like(logits)
            getattr(library, name)(logits.size, pointer(logits), pointer(targets), pointer(weight), pointer(results[name]),
                                   ctypes.c_float(gamma), ctypes.c_float(alpha), 5)
        keep(f'focal_{number}', logits=logits, targets=targets, weight=np.zeros(0, 'f4') if weight is None else weight,
             gamma=gamma, alpha=alpha, **results)


def main() -> None:
    rng = np.random.default_rng(0)
    record_nms(rng)
    record_roi_align(rng)
    record_focal_loss(rng, Path(sys.argv[1]))
    np.savez_compressed(sys.argv[2], **CASES)


if __name__ == '__main__':
    main()
