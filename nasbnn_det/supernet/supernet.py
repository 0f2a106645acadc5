"""The weight-sharing supernet: every architecture of a search space in one set of weights."""
from typing import Any, Iterator, List, Tuple, Union

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..arch import Arch, SearchSpace, get_space
from ..binary import Binarization, Binarizes, get_binarization
from ..identity import decode as decode_json
from ..identity import encode
from .layers import SlicedBlock, SlicedStem


class Supernet(nn.Module):
    """Classifier whose every call names the architecture to use.

    The search space and the rules of binarisation travel with the weights, as a buffer of JSON bytes, so that a
    checkpoint says by itself what it is and can't be loaded into a supernet of another kind.

    Args:
        space (SearchSpace | str | list): As :func:`nasbnn_det.arch.get_space` takes it.
        num_classes (int): Classes of the linear layer.
        binarization (Binarization | str | dict): How its layers are binarised. Defaults to 'nasbnn'.

    Raises:
        ValueError: If the space is unknown, or a state dict of another space or other rules is loaded.
    """

    def __init__(self, space: Union[SearchSpace, str, list], num_classes: int,
                 binarization: Binarizes = 'nasbnn') -> None:
        super().__init__()
        self.space = get_space(space)
        self.num_classes = num_classes
        self.binarization = get_binarization(binarization)
        if self.binarization.is_float:
            raise ValueError("a supernet cannot be 'float': its teacher has real weights already")
        self.register_buffer('space_json', encode(dict(self.space.to_dict(), binarization=self.binarization.to_dict())))
        specs = self.space.stages
        self.stem = SlicedStem(specs[0].channels[-1], specs[0].stride)
        self.stages = nn.ModuleList()
        channels = specs[0].channels[-1]
        for spec in specs[1:]:
            blocks = nn.ModuleList()
            for i in range(spec.depths[-1]):
                blocks.append(SlicedBlock(channels, spec, spec.stride if i == 0 else 1, self.binarization))
                channels = spec.channels[-1]
            self.stages.append(blocks)
        self.fc = nn.Linear(channels, num_classes)

    def check_arch(self, arch: Arch) -> None:
        """Raises ValueError unless ``arch`` belongs to this supernet's table."""
        if arch.space.stages != self.space.stages:
            raise ValueError(f"architecture of space '{arch.space.name}' given to a supernet of space "
                             f"'{self.space.name}'; both must have the same table")

    def forward_features(self, x: Tensor, arch: Arch, real_weights: bool = False) -> List[Tensor]:
        """Feature maps after each stage, stem first.

        Args:
            x (Tensor): Images of shape (N, 3, H, W), any size.
            arch (Arch): The architecture to use.
            real_weights (bool): The teacher's path. Defaults to False.

        Returns:
            list[Tensor]: Shapes (N, C_i, ceil(H / s_i), ceil(W / s_i)), s_i the total strides.
        """
        self.check_arch(arch)
        x = self.stem(x, arch.stages[0][0].channels)
        outs = [x]
        for modules, blocks in zip(self.stages, arch.stages[1:]):
            for module, block in zip(modules, blocks):
                x = module(x, block, real_weights)
            outs.append(x)
        return outs

    def forward(self, x: Tensor, arch: Arch, real_weights: bool = False) -> Tensor:
        """Logits of one architecture.

        Args:
            x (Tensor): Images of shape (N, 3, H, W), any size.
            arch (Arch): The architecture to use.
            real_weights (bool): Uses normalised float weights (activations stay binary). Defaults to False.

        Returns:
            Tensor: Shape (N, num_classes).
        """
        features = self.forward_features(x, arch, real_weights)[-1].mean((2, 3))
        return F.linear(features, self.fc.weight[:, :features.shape[1]], self.fc.bias)

    def blocks(self) -> Iterator[Tuple[int, int, SlicedBlock]]:
        """All blocks with their stage (from 1) and place in it."""
        for i, modules in enumerate(self.stages, start=1):
            for j, module in enumerate(modules):
                yield i, j, module

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args: Any) -> None:
        stored = state_dict.get(prefix + 'space_json')
        if stored is not None and not torch.equal(stored.cpu(), self.space_json.cpu()):
            space, binarization = decode(stored)
            raise ValueError(f"the checkpoint holds a supernet of space '{space.name}' and {binarization}, which "
                             f"differs from this supernet's space '{self.space.name}' and {self.binarization}")
        super()._load_from_state_dict(state_dict, prefix, *args)


def decode(space_json: Tensor) -> Tuple[SearchSpace, Binarization]:
    """What a supernet's ``space_json`` buffer says.

    Args:
        space_json (Tensor): JSON as bytes, uint8, 1-d.

    Returns:
        tuple[SearchSpace, Binarization]: The search space and the rules of binarisation.

    Raises:
        ValueError: If it is no such JSON.
    """
    data = decode_json(space_json)
    try:
        return SearchSpace.from_dict(data), get_binarization(data['binarization'])
    except (KeyError, TypeError) as error:
        raise ValueError(f'no search space with rules of binarisation: {error}') from error
