"""The packed classifier, and the form in which a search evaluates candidates with it."""
from typing import Iterable, List, Tuple

import torch
from torch import Tensor, nn

from ..runtime.chain import PackedChain
from ..runtime.layer import PackedLayer
from ..runtime.ops import run_sums
from ..runtime.packer import pack_layers
from .subnet import Subnet


class PackedSubnet(nn.Module):
    """A found classifier of packed layers.

    Args:
        subnet (Subnet): The classifier; its linear layer is shared.
        fold_norms (bool): False leaves its batch norms out. Defaults to True.
    """

    def __init__(self, subnet: Subnet, fold_norms: bool = True) -> None:
        super().__init__()
        self.features = PackedChain(pack_layers([subnet.stem, *subnet.stages], fold_norms))
        self.fc = subnet.fc

    def forward(self, x: Tensor) -> Tensor:
        """Logits of shape (N, classes) for images of shape (N, 3, H, W)."""
        return self.fc(self.features(x).mean((2, 3)))


class PackedInferenceSubnet:
    """Recalibrates and evaluates a subnet on packed layers.

    It is what :class:`nasbnn_det.engine.evaluation.subnet_evaluator.SubnetEvaluator` evaluates. The statistics
    are those of :func:`nasbnn_det.supernet.recalibrate_bn` up to rounding.

    Args:
        subnet (Subnet): The network; :meth:`recalibrate` must be called first, and sets its statistics too.
    """

    def __init__(self, subnet: Subnet) -> None:
        self.packed = PackedSubnet(subnet.eval(), fold_norms=False)
        self.bns: List[nn.BatchNorm2d] = [subnet.stem.bn, *(brick.bn for stage in subnet.stages for block in stage
                                                            for brick in (block.conv1, block.conv2))]
        # Scale and shift of each layer without its batch norm.
        self.bare: List[Tuple[Tensor, Tensor]] = [layer.affine() for layer in self.packed.features.layers]

    @torch.no_grad()
    def recalibrate(self, batches: Iterable[Tensor]) -> None:
        """Sets the batch norms' statistics to the mean of those of some batches.

        Args:
            batches (Iterable[Tensor]): Images of shape (N, 3, H, W).

        Raises:
            ValueError: If there is no batch.
        """
        layers = self.packed.features.layers
        memory = [_Memory(), _Memory()]
        sums = [[torch.zeros(bn.num_features, dtype=torch.float64) for _ in range(2)] for bn in self.bns]
        count = 0
        for x in batches:
            count += 1
            moments = _moments_of_real(layers[0], x)
            for i, (layer, bn, (scale, shift), total) in enumerate(zip(layers, self.bns, self.bare, sums)):
                mean, biased, unbiased = _statistics(*moments, scale)
                self._set(layer, bn, scale, shift, mean, biased)
                total[0] += mean
                total[1] += unbiased
                if i + 1 < len(layers):
                    x, moments = _run_on(x, layer, layers[i + 1], memory[i % 2])
        if not count:
            raise ValueError('batch norm recalibration needs at least one batch of images, got none')
        for layer, bn, (scale, shift), (mean, var) in zip(layers, self.bns, self.bare, sums):
            bn.running_mean.copy_(mean / count)
            bn.running_var.copy_(var / count)
            self._set(layer, bn, scale, shift, bn.running_mean.double(), bn.running_var.double())

    @staticmethod
    def _set(layer: PackedLayer, bn: nn.BatchNorm2d, scale: Tensor, shift: Tensor, mean: Tensor, var: Tensor) -> None:
        factor = _factor(bn, var)
        layer.set_affine((scale * factor).float(), (shift + bn.bias.double() - mean * factor).float())

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Tensor:
        """Logits of shape (N, classes) for images of shape (N, 3, H, W)."""
        return self.packed(images)


def _factor(bn: nn.BatchNorm2d, var: Tensor) -> Tensor:
    return bn.weight.double() / (var.double() + bn.eps).sqrt()


class _Memory:
    """Memory that is used again: new pages for every map would cost more than the kernels."""

    def __init__(self) -> None:
        self.flat = torch.empty(0)

    def __call__(self, x: Tensor, shape: Tuple[int, ...]) -> Tensor:
        """A tensor of floats, channels_last; what was there before is lost."""
        n, c, h, w = shape
        if self.flat.numel() < n * c * h * w:
            self.flat = torch.empty(n * c * h * w)
        return self.flat[:n * c * h * w].view(n, h, w, c).permute(0, 3, 1, 2)


#: How many numbers of each channel there are, their sums, and those of their squares; in double precision.
_Moments = Tuple[int, Tensor, Tensor]


#: Images whose map of real numbers is held at a time: of 2,048 at 224 px it would be 5 GB.
_CHUNK = 64


def _moments_of_real(layer: PackedLayer, x: Tensor) -> _Moments:
    """Of what a layer with real weights gives, summed over a few images at a time."""
    count, sums, squares = 0, 0, 0
    for chunk in x.split(_CHUNK):
        y = layer.convolve(chunk)
        count += y.numel() // y.shape[1]
        sums = sums + y.sum((0, 2, 3), dtype=torch.float64)
        squares = squares + torch.linalg.vector_norm(y, dim=(0, 2, 3), dtype=torch.float64).square()
    return count, sums, squares


def _run_on(x: Tensor, layer: PackedLayer, next_layer: PackedLayer, memory: _Memory) -> Tuple[Tensor, _Moments]:
    """A layer's map, and the moments of the dot products of the next one, which is binary."""
    (y, ), sums = run_sums(x, [(layer.spec, layer.tensors(), 0), (next_layer.spec, next_layer.tensors(), -1)], memory)
    height, width = next_layer.spec.output_size(*y.shape[2:])
    return y, (y.shape[0] * height * width, *sums.double())


def _statistics(count: int, sums: Tensor, squares: Tensor, scale: Tensor) -> Tuple[Tensor, Tensor, Tensor]:
    """Mean, biased and unbiased variance per channel of what a layer's batch norm sees."""
    mean = sums / count
    biased = (squares / count - mean.square()).clamp(min=0)
    return mean * scale, biased * scale.square(), biased * scale.square() * count / max(1, count - 1)
