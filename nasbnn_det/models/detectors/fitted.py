"""MMDetection's detectors, whose necks and heads take their channels from the backbone."""
from typing import Any, Optional

from mmdet.models.detectors import FCOS, FasterRCNN, RetinaNet, RTMDet, SingleStageDetector

from ...binary import Binarizes
from ...registry import MODELS
from ..fitting import fit_parts, is_built

_HEADS = ('bbox_head', 'rpn_head', 'roi_head')


class FittedDetector:
    """Before a detector of MMDetection in the order of bases: an architecture is named in the backbone alone.

    The neck's and the heads' ``in_channels`` may be left out; numbers that are given stay.

    Args:
        backbone (dict): Its config.
        neck (dict, optional): Its config. Defaults to None.
        binarization (Binarization | str | dict, optional): Of the whole detector, as
            :func:`nasbnn_det.binary.get_binarization` takes it; 'float' builds its full-precision counterpart, float weights
            in the predictors included. Defaults to None: each part as its config says, binary where it says nothing.
        **kwargs: As for the detector.

    Raises:
        ValueError: If channels can't be filled in, or ``binarization`` is given and a part has no choice.
    """

    def __init__(self, backbone: dict, neck: Optional[dict] = None, binarization: Optional[Binarizes] = None,
                 **kwargs: Any) -> None:
        heads = {name: kwargs[name] for name in _HEADS if kwargs.get(name) is not None}
        body, built_neck, heads = fit_parts(backbone, neck, heads, binarization)
        super().__init__(
            backbone=is_built(body), neck=None if built_neck is None else is_built(built_neck), **{**kwargs, **heads})


@MODELS.register_module()
class BinaryRTMDet(FittedDetector, RTMDet):
    """RTMDet (arXiv 2212.07784). Arguments: :class:`FittedDetector`."""


@MODELS.register_module()
class BinaryRetinaNet(FittedDetector, RetinaNet):
    """RetinaNet (arXiv 1708.02002). Arguments: :class:`FittedDetector`."""


@MODELS.register_module()
class BinaryFCOS(FittedDetector, FCOS):
    """FCOS (arXiv 1904.01355). Arguments: :class:`FittedDetector`."""


@MODELS.register_module()
class BinarySSD(FittedDetector, SingleStageDetector):
    """SSD (arXiv 1512.02325), and any other detector of one stage. Arguments: :class:`FittedDetector`."""


@MODELS.register_module()
class BinaryFasterRCNN(FittedDetector, FasterRCNN):
    """Faster R-CNN (arXiv 1506.01497). Arguments: :class:`FittedDetector`."""
