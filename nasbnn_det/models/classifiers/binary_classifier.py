"""MMPretrain's classifier, whose head takes its channels from the backbone."""
from typing import Any, Optional

from mmengine.registry import MODELS as ANY_MODELS
from mmpretrain.models.classifiers import ImageClassifier
from torch import nn

from ...registry import MODELS


@MODELS.register_module()
class BinaryClassifier(ImageClassifier):
    """A backbone, pooling and a linear head: an architecture is named in the backbone alone.

    Args:
        backbone (dict): Config of a backbone with ``out_channels``; the head reads its last map.
        head (dict, optional): Config of the head; ``in_channels`` may be left out. Defaults to None.
        **kwargs: As for :class:`mmpretrain.models.ImageClassifier`.

    Raises:
        ValueError: If the head's channels are left out and the backbone does not say its own.
    """

    def __init__(self, backbone: dict, head: Optional[dict] = None, **kwargs: Any) -> None:
        body: nn.Module = ANY_MODELS.build(backbone)
        if head is not None and head.get('in_channels') is None:
            channels = getattr(body, 'out_channels', None)
            if channels is None:
                raise ValueError(f'model.head.in_channels is not given, and the backbone ({type(body).__name__}) does '
                                 'not say its channels; set it to a number')
            head = dict(head, in_channels=channels[-1])
        super().__init__(backbone=body, head=head, **kwargs)
