"""The linear classifier of a found network, for fine-tuning it in MMPretrain: deployment B."""
from typing import Any, Optional

from mmpretrain.models.heads import LinearClsHead

from ...registry import MODELS
from ...supernet.checkpoint import load_classifier_state


@MODELS.register_module()
class SubnetClsHead(LinearClsHead):
    """MMPretrain's linear head, which can start from the classifier that was extracted with the backbone.

    Args:
        num_classes (int): Classes.
        in_channels (int): Channels of the features.
        init_cfg (dict, optional): ``dict(type='Pretrained', checkpoint=PATH)`` with the checkpoint that
            ``extract_subnet.py`` wrote; keys and shapes are matched strictly. Otherwise as for
            :class:`mmpretrain.models.LinearClsHead`. Defaults to None.
        **kwargs: As for :class:`mmpretrain.models.LinearClsHead`.

    Raises:
        FileNotFoundError: If the checkpoint does not exist.
        ValueError: If it has no classifier, or one of another size.
    """

    def __init__(self, num_classes: int, in_channels: int, init_cfg: Optional[dict] = None, **kwargs: Any) -> None:
        pretrained = isinstance(init_cfg, dict) and init_cfg.get('type') == 'Pretrained'
        if init_cfg is not None and not pretrained:
            kwargs['init_cfg'] = init_cfg
        super().__init__(num_classes, in_channels, **kwargs)
        self._checkpoint = init_cfg['checkpoint'] if pretrained else None

    def init_weights(self) -> None:
        """Initialises as ``init_cfg`` says; 'Pretrained' loads strictly."""
        super().init_weights()
        if self._checkpoint is not None:
            self.fc.load_state_dict(load_classifier_state(self._checkpoint, self.fc.state_dict()), strict=True)
