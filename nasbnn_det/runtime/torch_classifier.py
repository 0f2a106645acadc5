"""A packed classifier in PyTorch: a chain, the average of its last map, and a linear layer."""
from typing import Any, Dict, Optional

import torch
from torch import Tensor, nn

from .chain import PackedChain
from .file import PackedFile
from .layer import PackedLayer
from .spec import LayerSpec

#: What a packed file holds of the linear layer.
_LINEAR = ('head.fc.weight', 'head.fc.bias')


class TorchClassifier(nn.Module):
    """Classifies images by packed layers.

    Every sum is made in one order, so that compiled code can give the same bits: the average adds pixels row by row, the
    linear layer is a packed layer of real weights.

    Args:
        backbone (PackedChain): From images to features; its last output is read.
        weight (Tensor): Of the linear layer, shape (classes, channels).
        bias (Tensor, optional): Likewise, shape (classes, ). Defaults to None, zeros.

    Raises:
        ValueError: If shapes do not fit.
    """

    #: What the kind is called in a packed file.
    KIND = 'classifier'

    def __init__(self, backbone: PackedChain, weight: Tensor, bias: Optional[Tensor] = None) -> None:
        super().__init__()
        channels = backbone.layers[-1].spec.out_channels
        if weight.dim() != 2 or weight.shape[1] != channels:
            raise ValueError(f'the linear layer has weights of shape {tuple(weight.shape)}; {channels} inputs are needed')
        classes = len(weight)
        self.backbone = backbone
        self.linear = PackedChain([PackedLayer(
            LayerSpec('float', channels, classes), weight.float().view(classes, channels, 1, 1),
            scale=torch.ones(classes), shift=torch.zeros(classes) if bias is None else bias.float())])

    @property
    def num_classes(self) -> int:
        """Classes."""
        return self.linear.layers[0].spec.out_channels

    @classmethod
    def from_file(cls, packed: PackedFile) -> 'TorchClassifier':
        """Builds it from a packed file's contents.

        Raises:
            ValueError: If the file is of another kind, or something is missing or left over.
        """
        network = packed.info.get('network')
        if not isinstance(network, dict) or network.get('kind') != cls.KIND:
            raise ValueError(f'its network is {network!r}, no classifier')
        if set(packed.chains) != {'backbone'} or set(packed.state) != set(_LINEAR):
            raise ValueError(f'a classifier is a chain backbone and the tensors {" and ".join(_LINEAR)}; the file has '
                             f'{sorted([*packed.chains, *packed.state])}')
        classifier = cls(packed.chains['backbone'], *(packed.state[name] for name in _LINEAR))
        if classifier.num_classes != network.get('num_classes'):
            raise ValueError(f'it tells {classifier.num_classes} classes apart and says {network.get("num_classes")!r}')
        return classifier.eval().requires_grad_(False)

    @staticmethod
    def describe(packed: PackedFile) -> Dict[str, Any]:
        """The settings of a packed model of MMPretrain, JSON-ready, with its ``kind``.

        Raises:
            ValueError: If it is more than a chain and a linear layer.
        """
        classes = len(packed.state.get(_LINEAR[0], ()))
        settings = dict(kind=TorchClassifier.KIND, num_classes=classes)
        TorchClassifier.from_file(PackedFile(packed.chains, packed.state, dict(network=settings)))
        return settings

    def forward(self, images: Tensor) -> Tensor:
        """Logits of shape (N, classes) for prepared images of shape (N, C, H, W)."""
        maps = self.backbone(images)
        return self.linear(average_pixels(maps if isinstance(maps, Tensor) else maps[-1])).flatten(1)


def average_pixels(x: Tensor) -> Tensor:
    """The average of a map's pixels, added one after another, row by row: (N, C, H, W) to (N, C, 1, 1)."""
    pixels = x.flatten(2)
    total = pixels[..., 0].clone()
    for i in range(1, pixels.shape[2]):
        total += pixels[..., i]
    return (total / pixels.shape[2])[..., None, None]
