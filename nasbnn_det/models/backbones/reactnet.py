"""ReActNet-A: MobileNet's layout in binary bricks."""
from typing import Optional, Sequence, Tuple

from mmengine.model import BaseModule
from torch import Tensor, nn

from ...binary import BinaryBlock
from ...registry import MODELS

#: Output channels and stride of each block, grouped by resolution.
_STAGES = (((64, 1), ), ((128, 2), (128, 1)), ((256, 2), (256, 1)),
           ((512, 2), (512, 1), (512, 1), (512, 1), (512, 1), (512, 1)), ((1024, 2), (1024, 1)))


@MODELS.register_module()
class ReActNet(BaseModule):
    """ReActNet-A (arXiv 2003.03488, Sec. 4.1), for comparison.

    MobileNetV1's depthwise and pointwise convolutions become a dense binary 3 x 3 and a binary 1 x 1, each with its own
    shortcut: a NAS-BNN block without groups and weight normalisation. Where the width doubles, the paper runs two
    1 x 1 convolutions on the same input and concatenates; that is one of twice the width whose shortcut repeats its
    input, as the brick's does. The first convolution is full-precision.

    Args:
        out_indices (Sequence[int]): Stages whose maps are returned, 0 to 4 with strides 2 to 32. Defaults to (2, 3, 4).
        init_cfg (dict, optional): Initialisation. Defaults to None.

    Attributes:
        out_channels (tuple[int]): Channels of each output.
        out_strides (tuple[int]): Total stride of each output.

    Raises:
        ValueError: If an index names no stage.
    """

    def __init__(self, out_indices: Sequence[int] = (2, 3, 4), init_cfg: Optional[dict] = None) -> None:
        super().__init__(init_cfg)
        if not out_indices or not set(out_indices) <= set(range(len(_STAGES))):
            raise ValueError(f'out_indices is {tuple(out_indices)}; ReActNet has the stages 0 to {len(_STAGES) - 1}')
        self.out_indices = tuple(out_indices)
        self.stem = nn.Sequential(nn.Conv2d(3, 32, 3, 2, padding=1, bias=False), nn.BatchNorm2d(32))
        self.stages = nn.ModuleList()
        before = 32
        for blocks in _STAGES:
            layers = []
            for channels, stride in blocks:
                layers.append(BinaryBlock(before, channels, 3, stride, weight_norm=False))
                before = channels
            self.stages.append(nn.Sequential(*layers))
        self.out_channels = tuple(_STAGES[i][-1][0] for i in self.out_indices)
        self.out_strides = tuple(2 * 2**i for i in self.out_indices)

    def forward(self, x: Tensor) -> Tuple[Tensor, ...]:
        """Feature maps of the stages in ``out_indices``.

        Args:
            x (Tensor): Images of shape (N, 3, H, W).

        Returns:
            tuple[Tensor]: Shapes (N, out_channels[i], ceil(H / out_strides[i]), ceil(W / out_strides[i])).
        """
        x = self.stem(x)
        outs = []
        for i, stage in enumerate(self.stages):
            x = stage(x)
            if i in self.out_indices:
                outs.append(x)
        return tuple(outs)
