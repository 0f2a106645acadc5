"""What a packed file says of an RTMDet head and of its decoding."""
from typing import Any, Dict

from torch import nn


def describe(model: nn.Module) -> Dict[str, Any]:
    """The settings of a packed detector of MMDetection, JSON-ready.

    Args:
        model (nn.Module): The detector.

    Raises:
        ValueError: If its head or its ``test_cfg`` is another.
    """
    head, test_cfg = getattr(model, 'bbox_head', None), getattr(model, 'test_cfg', None) or {}
    if not hasattr(head, 'rtm_cls'):
        raise ValueError("its head is not RTMDet's")
    nms = dict(test_cfg.get('nms') or {})
    # What a file has words for, and what has no effect here: the number of boxes from which mmcv goes class by class.
    known = {'type', 'iou_threshold', 'class_agnostic', 'split_thr'}
    if set(nms) - known or nms.get('type', 'nms') != 'nms' or nms.get('class_agnostic') or 'iou_threshold' not in nms:
        raise ValueError(f'its non-maximum suppression is {nms}')
    others = set(test_cfg) - {'nms', 'nms_pre', 'min_bbox_size', 'score_thr', 'max_per_img'}
    if others or not {'score_thr', 'max_per_img'} <= set(test_cfg):
        raise ValueError(f'its test_cfg has the settings {sorted(test_cfg)}')
    points = head.prior_generator
    return dict(
        num_classes=head.num_classes, strides=[stride[0] for stride in points.strides], offset=float(points.offset),
        score_thr=test_cfg['score_thr'], nms_pre=test_cfg.get('nms_pre', -1), iou_threshold=nms['iou_threshold'],
        max_per_img=test_cfg['max_per_img'], min_bbox_size=test_cfg.get('min_bbox_size', -1))
