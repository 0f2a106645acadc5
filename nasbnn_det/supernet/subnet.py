"""The static network of one architecture, without any framework."""
from typing import Any, List, Optional, Tuple

from torch import Tensor, nn

from ..arch import Arch
from ..binary import Binarizes, get_binarization
from ..binary.block import BinaryBlock
from ..binary.stem import Stem
from ..identity import decode, encode


def build_features(arch: Arch, binarization: Binarizes = 'nasbnn') -> Tuple[Stem, nn.ModuleList]:
    """Builds the layers of an architecture.

    Args:
        arch (Arch): The architecture.
        binarization (Binarization | str | dict): How its layers are binarised; a learned matrix stands in the largest
            kernels of a stage alone. 'float' builds the full-precision twin. Defaults to 'nasbnn'.

    Returns:
        tuple[Stem, nn.ModuleList]: The stem, and one ``nn.Sequential`` of blocks per further stage.
    """
    binarization = get_binarization(binarization)
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
                    binarization if block.kernel == spec.kernels[-1] else binarization.without_matrix()))
            channels = block.channels
        stages.append(nn.Sequential(*layers))
    return stem, stages


def check_arch(arch: Arch, stored: Optional[Tensor]) -> None:
    """Raises ValueError if a checkpoint says that it holds another architecture than this one."""
    if stored is None:
        return
    found = Arch.from_dict(decode(stored))
    if (found.space.stages, found.stages) != (arch.space.stages, arch.stages):
        raise ValueError(f'the checkpoint holds the architecture {found}, this network is {arch}; name the same '
                         'architecture in the config, or train it anew')


class Subnet(nn.Module):
    """Static classifier of one architecture.

    Args:
        arch (Arch): The architecture.
        num_classes (int): Classes of the linear layer.
        binarization (Binarization | str | dict): How its layers are binarised. Defaults to 'nasbnn'.

    Raises:
        ValueError: If a state dict of another architecture or binarisation is loaded.
    """

    def __init__(self, arch: Arch, num_classes: int, binarization: Binarizes = 'nasbnn') -> None:
        super().__init__()
        self.arch = arch
        self.binarization = get_binarization(binarization)
        self.register_buffer('arch_json', encode(arch.to_dict()))
        self.stem, self.stages = build_features(arch, self.binarization)
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

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args: Any) -> None:
        check_arch(self.arch, state_dict.get(prefix + 'arch_json'))
        super()._load_from_state_dict(state_dict, prefix, *args)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of shape (N, num_classes) for images of shape (N, 3, H, W)."""
        return self.fc(self.forward_features(x)[-1].mean((2, 3)))
