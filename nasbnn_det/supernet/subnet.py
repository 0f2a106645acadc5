"""The static network of one architecture, without any framework."""
from typing import List, Tuple

from torch import Tensor, nn

from ..arch import Arch
from ..binary.block import BinaryBlock
from ..binary.stem import Stem
from ..binary.weight import Binarization


def build_features(arch: Arch, binarization: Binarization = Binarization(),
                   precision: str = 'binary') -> Tuple[Stem, nn.ModuleList]:
    """Builds the layers of an architecture.

    Args:
        arch (Arch): The architecture.
        binarization (Binarization): The rules its weights follow. Defaults to NAS-BNN's.
        precision (str): 'float' builds the full-precision twin. Defaults to 'binary'.

    Returns:
        tuple[Stem, nn.ModuleList]: The stem, and one ``nn.Sequential`` of blocks per further stage.
    """
    specs = arch.space.stages
    stem = Stem(3, arch.stages[0][0].channels, specs[0].stride)
    stages = nn.ModuleList()
    channels = arch.stages[0][0].channels
    for spec, blocks in zip(specs[1:], arch.stages[1:]):
        layers = []
        for i, block in enumerate(blocks):
            layers.append(
                BinaryBlock(
                    channels,
                    block.channels,
                    block.kernel,
                    spec.stride if i == 0 else 1,
                    block.groups1,
                    block.groups2,
                    bi_transform=(binarization.bi_transform and precision == 'binary'
                                  and block.kernel == spec.kernels[-1] > 1),
                    weight_norm=binarization.weight_norm,
                    precision=precision))
            channels = block.channels
        stages.append(nn.Sequential(*layers))
    return stem, stages


class Subnet(nn.Module):
    """Static classifier of one architecture.

    Args:
        arch (Arch): The architecture.
        num_classes (int): Classes of the linear layer.
        binarization (Binarization): The rules its weights follow. Defaults to NAS-BNN's.
    """

    def __init__(self, arch: Arch, num_classes: int, binarization: Binarization = Binarization()) -> None:
        super().__init__()
        self.arch = arch
        self.binarization = binarization
        self.stem, self.stages = build_features(arch, binarization)
        self.fc = nn.Linear(arch.stage_channels[-1], num_classes)

    def forward_features(self, x: Tensor) -> List[Tensor]:
        """Feature maps after each stage, stem first.

        Args:
            x (Tensor): Images of shape (N, 3, H, W), any size.

        Returns:
            list[Tensor]: Shapes (N, C_i, ceil(H / s_i), ceil(W / s_i)), s_i the total strides.
        """
        outs = [self.stem(x)]
        for stage in self.stages:
            outs.append(stage(outs[-1]))
        return outs

    def forward(self, x: Tensor) -> Tensor:
        """Logits of shape (N, num_classes) for images of shape (N, 3, H, W)."""
        return self.fc(self.forward_features(x)[-1].mean((2, 3)))
