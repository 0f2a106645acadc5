"""RPReLU as an activation that a config names."""
from ...binary import RPReLU
from ...registry import MODELS


@MODELS.register_module(name='RPReLU')
class SharedRPReLU(RPReLU):
    """RPReLU for ``act_cfg=dict(type='nasbnn_det.RPReLU')``.

    MMCV's layers do not tell an activation how wide they are, so without ``channels`` one shift, slope and shift are
    shared by all channels, as ``nn.PReLU`` shares its slope. Between a batch norm and a :class:`BinaryConv2d`, which
    have shifts per channel of their own, that costs only the slopes' freedom.

    Args:
        channels (int): C of the input of shape (N, C, H, W); 1 shares the values. Defaults to 1.
        inplace (bool): Taken because MMCV's layers give it; there is no such form. Defaults to False.
    """

    def __init__(self, channels: int = 1, inplace: bool = False) -> None:
        super().__init__(channels)
