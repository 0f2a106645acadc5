"""What a packed file says of a dense head, of the neck before it and of its decoding: one function a kind of head, listed in
:data:`HEADS`. The library has the other side of it (``native/csrc/head.h``)."""
from typing import Any, Callable, Dict, NamedTuple

from torch import nn

from .decoding_settings import decoding_settings


class HeadKind(NamedTuple):
    """A kind of head.

    Args:
        title (str): What people call it.
        predictor (str): An attribute that heads of this kind alone have.
        describe (Callable): From a head to its own settings, JSON-ready; ValueError where the file has no words for them.
    """
    title: str
    predictor: str
    describe: Callable[[nn.Module], Dict[str, Any]]


def describe(model: nn.Module) -> Dict[str, Any]:
    """The settings of a packed detector of MMDetection, JSON-ready, with the ``kind`` of its head.

    Args:
        model (nn.Module): The detector.

    Raises:
        ValueError: If its head, or something of its decoding, is none that a packed file has words for.
    """
    head = getattr(model, 'bbox_head', None)
    kind = next((name for name, known in HEADS.items() if hasattr(head, known.predictor)), None)
    if kind is None:
        titles = [f"{known.title}'s" for known in HEADS.values()]
        raise ValueError(f"its head is none of {', '.join(titles[:-1])} and {titles[-1]}")
    return dict(kind=kind, num_classes=head.num_classes, **_neck(model), **HEADS[kind].describe(head),
                **decoding_settings(model))


def _neck(model: nn.Module) -> Dict[str, str]:
    """The neck by the name that the library knows it by; a file that names none has a ``BinaryPAFPN``."""
    neck = getattr(model, 'neck', None)
    if hasattr(neck, 'top_down'):
        return {}
    return dict(neck='fpn' if hasattr(neck, 'laterals') else 'extra')


def _strides(head: nn.Module) -> Dict[str, Any]:
    pairs = [tuple(stride) for stride in head.prior_generator.strides]
    if any(across != down for across, down in pairs):
        raise ValueError(f'its strides are {pairs}; allowed are those that are the same in both directions')
    return dict(strides=[across for across, _ in pairs])


def _scores(head: nn.Module, sigmoid: bool) -> None:
    """Raises ValueError if logits become scores in another way."""
    if head.use_sigmoid_cls != sigmoid or getattr(head.loss_cls, 'custom_cls_channels', False):
        raise ValueError(f"its scores are no {'sigmoid' if sigmoid else 'softmax'} of its logits")


def _points(head: nn.Module) -> Dict[str, Any]:
    _scores(head, sigmoid=True)
    if type(head.bbox_coder).__name__ != 'DistancePointBBoxCoder' or not head.bbox_coder.clip_border:
        raise ValueError(f'its boxes are decoded by {type(head.bbox_coder).__name__}, or not clipped to the image')
    return dict(_strides(head), offset=float(head.prior_generator.offset))


def _anchors(head: nn.Module) -> Dict[str, Any]:
    coder = head.bbox_coder
    if type(coder).__name__ != 'DeltaXYWHBBoxCoder' or not coder.clip_border or coder.add_ctr_clamp:
        raise ValueError(f'its boxes are decoded by {type(coder).__name__}, or not clipped to the image, or their centres '
                         'are kept near those of the anchors')
    return dict(_strides(head), anchors=[level.tolist() for level in head.prior_generator.base_anchors],
                means=list(coder.means), stds=list(coder.stds))


def _retinanet(head: nn.Module) -> Dict[str, Any]:
    _scores(head, sigmoid=True)
    return _anchors(head)


def _ssd(head: nn.Module) -> Dict[str, Any]:
    _scores(head, sigmoid=False)
    return _anchors(head)


def _fcos(head: nn.Module) -> Dict[str, Any]:
    return dict(_points(head), scales=[float(scale.scale) for scale in head.scales], norm_on_bbox=bool(head.norm_on_bbox),
                centerness_on_reg=bool(head.centerness_on_reg))


#: By the kind in the packed file.
HEADS: Dict[str, HeadKind] = {
    'rtmdet': HeadKind('RTMDet', 'rtm_cls', _points),
    'retinanet': HeadKind('RetinaNet', 'retina_cls', _retinanet),
    'fcos': HeadKind('FCOS', 'conv_centerness', _fcos),
    'ssd': HeadKind('SSD', 'reg_convs', _ssd),
}
