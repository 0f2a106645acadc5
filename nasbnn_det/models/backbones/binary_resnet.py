"""The ResNets that binary detectors are usually built on: Bi-Real Net's and ReActNet's."""
from typing import Optional, Sequence

from torch import Tensor, nn

from ...binary import BinaryConv2d, RPReLU
from ...registry import MODELS
from .staged_backbone import StagedBackbone

_DEPTHS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}
_STYLES = ('bireal', 'reactnet')


class BinaryResLayer(nn.Module):
    """One binary 3 x 3 convolution with its own shortcut, which is what Bi-Real Net makes of half a residual block.

    Where the size or the width changes, the shortcut is average pooling, a float 1 x 1 convolution and batch norm.

    Args:
        in_channels (int): C of the input (N, C, H, W).
        out_channels (int): C' of the output (N, C', ceil(H / stride), ceil(W / stride)).
        stride (int): Defaults to 1.
        style (str): 'bireal' (arXiv 1808.00278): a plain sign, no activation. 'reactnet' (arXiv 2003.03488): RSign and
            RPReLU. Defaults to 'bireal'.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1, style: str = 'bireal') -> None:
        super().__init__()
        self.conv = BinaryConv2d(in_channels, out_channels, 3, stride, padding=1, binarization=style)
        self.bn = nn.BatchNorm2d(out_channels)
        self.act = RPReLU(out_channels) if style == 'reactnet' else nn.Identity()
        self.downsample = nn.Identity()
        if stride != 1 or in_channels != out_channels:
            self.downsample = nn.Sequential(
                nn.AvgPool2d(stride, stride, ceil_mode=True, count_include_pad=False),
                nn.Conv2d(in_channels, out_channels, 1, bias=False), nn.BatchNorm2d(out_channels))

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.bn(self.conv(x)) + self.downsample(x))


@MODELS.register_module()
class BinaryResNet(StagedBackbone):
    """Bi-Real ResNet-18/34 (arXiv 1808.00278) or ReActNet on ResNet-18/34 (arXiv 2003.03488), for comparison.

    The first convolution and the shortcuts that change the size are full-precision, as published.

    Args:
        depth (int): 18 or 34. Defaults to 18.
        style (str): 'bireal' or 'reactnet'. Defaults to 'bireal'.
        out_indices (Sequence[int]): Stages whose maps are returned, 0 to 3. Defaults to (0, 1, 2, 3).
        frozen_stages (int): That many stages and the stem are not trained and stay in evaluation mode; -1 freezes none.
            Defaults to -1.
        norm_eval (bool): Keeps batch norms in evaluation mode while training. Defaults to False.
        with_cp (bool): Recomputes stages in the backward pass to save memory. Defaults to False.
        init_cfg (dict, optional): ``dict(type='Pretrained', checkpoint=PATH)`` with the checkpoint of any model that
            holds this backbone (``prefix`` says where, if it is not plain). Keys are matched strictly.

    Attributes:
        out_channels (tuple[int]): Channels of each output.
        out_strides (tuple[int]): Total stride of each output.

    Raises:
        FileNotFoundError: If a file does not exist.
        ValueError: If depth, style or an index is unknown, or a checkpoint has wrong keys.
    """

    first_output = 1

    def __init__(self,
                 depth: int = 18,
                 style: str = 'bireal',
                 out_indices: Sequence[int] = (0, 1, 2, 3),
                 frozen_stages: int = -1,
                 norm_eval: bool = False,
                 with_cp: bool = False,
                 init_cfg: Optional[dict] = None) -> None:
        super().__init__(tuple(out_indices), frozen_stages, norm_eval, with_cp, init_cfg)
        if depth not in _DEPTHS or style not in _STYLES:
            raise ValueError(f"depth {depth}, style '{style}': allowed are depths {list(_DEPTHS)} and styles "
                             f'{list(_STYLES)}')
        self._check_stages(len(_DEPTHS[depth]))
        self.stem = nn.Sequential(
            nn.Conv2d(3, 64, 7, 2, padding=3, bias=False), nn.BatchNorm2d(64), nn.MaxPool2d(3, 2, padding=1))
        self.stages = nn.ModuleList()
        before = 64
        for i, blocks in enumerate(_DEPTHS[depth][:self.used_stages]):
            channels = 64 * 2**i
            layers = []
            for j in range(2 * blocks):  # two convolutions a block
                layers.append(BinaryResLayer(before, channels, 2 if i and not j else 1, style))
                before = channels
            self.stages.append(nn.Sequential(*layers))
        self.out_channels = tuple(64 * 2**i for i in self.out_indices)
        self.out_strides = tuple(4 * 2**i for i in self.out_indices)
        self._freeze()
