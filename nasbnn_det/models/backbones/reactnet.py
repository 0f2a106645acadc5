"""ReActNet-A: MobileNet's layout in binary bricks."""
from typing import Optional, Sequence

from torch import nn

from ...binary import BinaryBlock
from ...registry import MODELS
from .staged_backbone import StagedBackbone

#: Output channels and stride of each block, grouped by resolution.
_STAGES = (((64, 1), ), ((128, 2), (128, 1)), ((256, 2), (256, 1)),
           ((512, 2), (512, 1), (512, 1), (512, 1), (512, 1), (512, 1)), ((1024, 2), (1024, 1)))


@MODELS.register_module()
class ReActNet(StagedBackbone):
    """ReActNet-A (arXiv 2003.03488, Sec. 4.1), for comparison.

    MobileNetV1's depthwise and pointwise convolutions become a dense binary 3 x 3 and a binary 1 x 1, each with its own
    shortcut: a NAS-BNN block without groups and weight normalisation. Where the width doubles, the paper runs two
    1 x 1 convolutions on the same input and concatenates; that is one of twice the width whose shortcut repeats its
    input, as the brick's does. The first convolution is full-precision.

    Args:
        out_indices (Sequence[int]): Stages whose maps are returned, 0 to 4 with strides 2 to 32. Defaults to (2, 3, 4).
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
        ValueError: If an index names no stage, or a checkpoint has wrong keys.
    """

    first_output = 1

    def __init__(self,
                 out_indices: Sequence[int] = (2, 3, 4),
                 frozen_stages: int = -1,
                 norm_eval: bool = False,
                 with_cp: bool = False,
                 init_cfg: Optional[dict] = None) -> None:
        super().__init__(tuple(out_indices), frozen_stages, norm_eval, with_cp, init_cfg)
        self._check_stages(len(_STAGES))
        self.stem = nn.Sequential(nn.Conv2d(3, 32, 3, 2, padding=1, bias=False), nn.BatchNorm2d(32))
        self.stages = nn.ModuleList()
        before = 32
        for blocks in _STAGES[:self.used_stages]:
            layers = []
            for channels, stride in blocks:
                layers.append(BinaryBlock(before, channels, 3, stride, binarization='reactnet'))
                before = channels
            self.stages.append(nn.Sequential(*layers))
        self.out_channels = tuple(_STAGES[i][-1][0] for i in self.out_indices)
        self.out_strides = tuple(2 * 2**i for i in self.out_indices)
        self._freeze()
