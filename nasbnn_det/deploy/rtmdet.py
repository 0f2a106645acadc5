"""What a packed file says of an RTMDet head and of its decoding."""
from typing import Any, Dict

from torch import nn

from .decoding_settings import decoding_settings


def describe(model: nn.Module) -> Dict[str, Any]:
    """The settings of a packed detector of MMDetection, JSON-ready.

    Args:
        model (nn.Module): The detector.

    Raises:
        ValueError: If its head or its ``test_cfg`` is another.
    """
    head = getattr(model, 'bbox_head', None)
    if not hasattr(head, 'rtm_cls'):
        raise ValueError("its head is not RTMDet's")
    points = head.prior_generator
    return dict(num_classes=head.num_classes, strides=[stride[0] for stride in points.strides], offset=float(points.offset),
                **decoding_settings(model))
