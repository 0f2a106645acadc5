"""The module ``mmcv._ext`` made of torchvision's operators.

Signatures and results are those of mmcv's compiled module (mmcv/ops/csrc/pytorch), so that ``mmcv.ops`` works unchanged
on top. Here are the operators that MMDetection's detectors call without deformable convolutions or rotated boxes; asking
for any other gives a function that says at its call what to do.
"""
import struct
from typing import Any, Callable

import numpy as np
import torch
import torchvision
from torch import Tensor

_TABLE_BOXES = 2000


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int) -> Tensor:
    """Non-maximum suppression.

    Args:
        boxes (Tensor): x1, y1, x2, y2 in pixels, of shape (N, 4).
        scores (Tensor): Of shape (N, ).
        iou_threshold (float): Boxes with a larger IoU than this are suppressed. It is compared as a float32, as there.
        offset (int): 1 where x2 and y2 are the last pixel inside a box, else 0.

    Returns:
        Tensor: Indices of the kept boxes by falling score, of shape (K, ).
    """
    # The sort is theirs, not stable as torchvision's, so that of equal scores the same box wins.
    order = scores.sort(0, descending=True)[1]
    boxes = boxes[order]
    if offset:
        boxes += boxes.new_tensor([0, 0, offset, offset])
    ranks = torch.arange(len(order), 0, -1, dtype=boxes.dtype, device=boxes.device)
    return order[torchvision.ops.nms(boxes, ranks, struct.unpack('f', struct.pack('f', iou_threshold))[0])]


def softnms(boxes: Tensor, scores: Tensor, dets: Tensor, iou_threshold: float, sigma: float, min_score: float, method: int,
            offset: int) -> Tensor:
    """Soft-NMS (arXiv 1704.04503) on the CPU; boxes below ``min_score`` leave in the order in which they do there.

    Args:
        boxes (Tensor): x1, y1, x2, y2 in pixels, of shape (N, 4).
        scores (Tensor): Of shape (N, ).
        dets (Tensor): Of shape (N, 5), written: the boxes in the order of the returned indices, with their new scores.
        iou_threshold (float): For methods 0 and 1, from which IoU on scores fall.
        sigma (float): For method 2.
        min_score (float): Boxes whose score falls below it are dropped.
        method (int): How a score falls: 0 to zero, 1 by ``1 - IoU``, 2 by ``exp(-IoU^2 / sigma)``.
        offset (int): As in :func:`nms`.

    Returns:
        Tensor: Indices of the kept boxes, of shape (K, ).
    """
    x1, y1, x2, y2 = boxes.detach().numpy().T.copy()
    areas = (x2 - x1 + offset) * (y2 - y1 + offset)
    values, number = scores.detach().numpy().copy(), len(boxes)

    def factors(box: Any) -> np.ndarray:
        """By what one box, or each of many (N, 1), multiplies the score of every box."""
        width = np.maximum(np.minimum(x2[box], x2) - np.maximum(x1[box], x1) + offset, 0)
        height = np.maximum(np.minimum(y2[box], y2) - np.maximum(y1[box], y1) + offset, 0)
        inside = width * height
        with np.errstate(divide='ignore', invalid='ignore'):
            iou = inside / (areas[box] + areas - inside)
        if method == 2:
            return np.exp(-(iou * iou) / np.float32(sigma))
        return np.where(iou >= np.float32(iou_threshold), 1 - iou if method == 1 else np.float32(0), np.float32(1))

    # All at once is faster, as long as it is small.
    table = factors(np.arange(number)[:, None]) if number <= _TABLE_BOXES else None
    order, count, done = np.arange(number), number, 0
    while done < count:
        left = order[done:count]
        current = values[left]
        best = int(current.argmax())
        if np.isnan(current[best]):
            # Of two boxes without area, whose IoU is 0/0. It is larger than none, and taken when it comes first.
            best = 0 if np.isnan(current[0]) else int(np.nanargmax(current))
        left[[0, best]] = left[[best, 0]]
        rest = left[1:]
        current = values[rest] * (factors(left[0]) if table is None else table[left[0]])[rest]
        values[rest] = current
        done += 1
        dropped = current < min_score
        if dropped.any():
            # Each gap is filled by the last box that is still there.
            kept = len(rest) - int(dropped.sum())
            rest[:kept][dropped[:kept]] = rest[kept:][~dropped[kept:]][::-1]
            count = done + kept
    indices = torch.from_numpy(order[:count].copy())
    dets[:count] = torch.cat([boxes[indices], torch.from_numpy(values)[indices, None]], 1)
    return indices


def _check_average(pool_mode: int) -> None:
    if pool_mode != 1:
        raise NotImplementedError(f"RoIAlign with pool_mode='max' {_ADVICE}")


def roi_align_forward(input: Tensor, rois: Tensor, output: Tensor, argmax_y: Tensor, argmax_x: Tensor, aligned_height: int,
                      aligned_width: int, spatial_scale: float, sampling_ratio: int, pool_mode: int, aligned: bool) -> None:
    """RoIAlign (arXiv 1703.06870), average of the samples of a bin.

    Args:
        input (Tensor): Map of shape (B, C, H, W).
        rois (Tensor): Index of the image, x1, y1, x2, y2 in pixels of the image, of shape (N, 5).
        output (Tensor): Written, of shape (N, C, aligned_height, aligned_width).
        argmax_y, argmax_x (Tensor): Of the maximum, which is not here; untouched.
        aligned_height, aligned_width (int): Bins.
        spatial_scale (float): Pixels of the map per pixel of the image.
        sampling_ratio (int): Samples per side of a bin, 0 for as many as it has pixels.
        pool_mode (int): 1 for the average, the only one here.
        aligned (bool): Whether pixels' centres lie at half coordinates.
    """
    _check_average(pool_mode)
    output.copy_(torch.ops.torchvision.roi_align(
        input, rois, spatial_scale, aligned_height, aligned_width, sampling_ratio, aligned))


def roi_align_backward(grad_output: Tensor, rois: Tensor, argmax_y: Tensor, argmax_x: Tensor, grad_input: Tensor,
                       aligned_height: int, aligned_width: int, spatial_scale: float, sampling_ratio: int, pool_mode: int,
                       aligned: bool) -> None:
    """Gradient of :func:`roi_align_forward`, added to ``grad_input`` of shape (B, C, H, W)."""
    _check_average(pool_mode)
    grad_input += torch.ops.torchvision._roi_align_backward(
        grad_output, rois, spatial_scale, aligned_height, aligned_width, *grad_input.shape, sampling_ratio, aligned)


def _focal_parts(input: Tensor, target: Tensor, weight: Tensor, alpha: float) -> tuple:
    """Probabilities and the factors of the positive and of the negative term, each of shape (N, C)."""
    positive = target[:, None] == torch.arange(input.size(1), device=input.device)
    factor_p, factor_n = positive * -alpha, ~positive * (alpha - 1)
    if weight.numel():
        if bool(((target < 0) | (target >= input.size(1))).any()):
            raise ValueError('a focal loss with a weight per class takes targets of these classes only, no background')
        factor_p, factor_n = factor_p * weight[target][:, None], factor_n * weight[target][:, None]
    return input.sigmoid(), factor_p, factor_n


def _log(p: Tensor) -> Tensor:
    return p.clamp(min=torch.finfo(torch.float32).tiny).log()


def sigmoid_focal_loss_forward(input: Tensor, target: Tensor, weight: Tensor, output: Tensor, gamma: float,
                               alpha: float) -> None:
    """Focal loss of every logit (arXiv 1708.02002).

    Args:
        input (Tensor): Logits of shape (N, C).
        target (Tensor): Class of each row, of shape (N, ). No class's number, for example C or -1: all are negative.
        weight (Tensor): Per class, of shape (C, ); a row's logits are weighted by its target's. Empty for none.
        output (Tensor): Written, of shape (N, C).
        gamma, alpha (float): As in the paper.
    """
    p, factor_p, factor_n = _focal_parts(input.float(), target, weight, alpha)
    output.copy_(factor_p * (1 - p)**gamma * _log(p) + factor_n * p**gamma * _log(1 - p))


def sigmoid_focal_loss_backward(input: Tensor, target: Tensor, weight: Tensor, grad_input: Tensor, gamma: float,
                                alpha: float) -> None:
    """Gradient of :func:`sigmoid_focal_loss_forward` by the logits, written to ``grad_input`` of shape (N, C)."""
    p, factor_p, factor_n = _focal_parts(input.float(), target, weight, alpha)
    grad_input.copy_(factor_p * (1 - p)**gamma * (1 - p - gamma * p * _log(p)) +
                     factor_n * p**gamma * (gamma * (1 - p) * _log(1 - p) - p))


def get_compiler_version() -> str:
    """What MMDetection's ``collect_env`` shows as mmcv's compiler."""
    return f'none, operators of torchvision {torchvision.__version__}'


def get_compiling_cuda_version() -> str:
    """What MMDetection's ``collect_env`` shows as mmcv's CUDA."""
    return 'not available'


_ADVICE = ('is not among the operators that mmcv-torchvision-ops makes of torchvision: install a compiled mmcv '
           '(MMCV_WITH_OPS=1 pip install --no-build-isolation --no-binary mmcv "mmcv==2.1.0", or onedl-mmcv likewise); '
           'it takes precedence by itself')


def __getattr__(name: str) -> Callable[..., Any]:
    if name.startswith('__'):
        raise AttributeError(f"module 'mmcv._ext' has no attribute '{name}'")

    def missing(*args: Any, **kwargs: Any) -> None:
        raise NotImplementedError(f"mmcv's operator '{name}' {_ADVICE}")
    return missing
