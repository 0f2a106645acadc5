"""What a detector's ``test_cfg`` says of decoding and suppression, where that is all there is to say."""
from typing import Any, Dict

from torch import nn


def decoding_settings(model: nn.Module) -> Dict[str, Any]:
    """The settings between a dense head's maps and its boxes, JSON-ready.

    Args:
        model (nn.Module): A single-stage detector of MMDetection.

    Returns:
        dict: ``score_thr``, lowest score; ``nms_pre``, candidates per level at most, -1 for all; ``iou_threshold`` of the
        suppression within classes; ``max_per_img``, boxes per image at most; ``min_bbox_size``, which boxes must exceed in
        pixels of the original image, -1 for all.

    Raises:
        ValueError: If it says more than that, or less.
    """
    test_cfg = getattr(model, 'test_cfg', None) or {}
    nms = dict(test_cfg.get('nms') or {})
    # What has no effect here is the number of boxes from which mmcv goes class by class.
    known = {'type', 'iou_threshold', 'class_agnostic', 'split_thr'}
    if set(nms) - known or nms.get('type', 'nms') != 'nms' or nms.get('class_agnostic') or 'iou_threshold' not in nms:
        raise ValueError(f'its non-maximum suppression is {nms}')
    others = set(test_cfg) - {'nms', 'nms_pre', 'min_bbox_size', 'score_thr', 'max_per_img'}
    if others or not {'score_thr', 'max_per_img'} <= set(test_cfg):
        raise ValueError(f'its test_cfg has the settings {sorted(test_cfg)}')
    return dict(score_thr=test_cfg['score_thr'], nms_pre=test_cfg.get('nms_pre', -1), iou_threshold=nms['iou_threshold'],
                max_per_img=test_cfg['max_per_img'], min_bbox_size=test_cfg.get('min_bbox_size', -1))
