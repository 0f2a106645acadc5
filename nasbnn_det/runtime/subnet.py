"""The packed classifier, and the form in which a search evaluates candidates with it."""
from typing import Iterable, List, Tuple

import torch
from torch import Tensor, nn

from ..supernet import Subnet
from .chain import PackedChain
from .layer import PackedLayer
from .ops import run_dots
from .pack import pack_layers


class PackedSubnet(nn.Module):
    """A found classifier of packed layers.

    Args:
        subnet (Subnet): The classifier; its linear layer is shared.
    """

    def __init__(self, subnet: Subnet) -> None:
        super().__init__()
        self.features = PackedChain(pack_layers([subnet.stem, *subnet.stages]))
        self.fc = subnet.fc

    def forward(self, x: Tensor) -> Tensor:
        """Logits of shape (N, classes) for images of shape (N, 3, H, W)."""
        return self.fc(self.features(x).mean((2, 3)))


class PackedEvaluationForm:
    """Recalibrates and evaluates a subnet on packed layers; see :class:`nasbnn_det.search.evaluator.SubnetEvaluator`.

    The statistics are those of :func:`nasbnn_det.supernet.recalibrate_bn` up to rounding.

    Args:
        subnet (Subnet): The network; :meth:`recalibrate` sets its statistics too.
    """

    def __init__(self, subnet: Subnet) -> None:
        self.subnet = subnet.eval()
        self.packed = PackedSubnet(subnet)
        self.bns: List[nn.BatchNorm2d] = [subnet.stem.bn, *(brick.bn for stage in subnet.stages for block in stage
                                                            for brick in (block.conv1, block.conv2))]
        # Scale and shift of each layer without its batch norm.
        bare = pack_layers([subnet.stem, *subnet.stages], fold_norms=False)
        self.bare: List[Tuple[Tensor, Tensor]] = [tuple(layer.plain()[name].double() for name in ('scale', 'shift'))
                                                  for layer in bare]

    @torch.no_grad()
    def recalibrate(self, batches: Iterable[Tensor]) -> None:
        """Sets the batch norms' statistics to the mean of those of some batches.

        Args:
            batches (Iterable[Tensor]): Images of shape (N, 3, H, W).

        Raises:
            ValueError: If there is no batch.
        """
        layers = self.packed.features.layers
        sums = [[torch.zeros(bn.num_features, dtype=torch.float64) for _ in range(2)] for bn in self.bns]
        count = 0
        for x in batches:
            count += 1
            for layer, bn, (scale, shift), total in zip(layers, self.bns, self.bare, sums):
                mean, biased, unbiased = _statistics(layer, x, scale)
                self._set(layer, bn, scale, shift, mean, biased)
                x = PackedChain([layer])(x)
                total[0] += mean
                total[1] += unbiased
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


def _statistics(layer: PackedLayer, x: Tensor, scale: Tensor) -> Tuple[Tensor, Tensor, Tensor]:
    """Mean, biased and unbiased variance per channel of what a layer's batch norm sees, in double precision."""
    if layer.spec.binary:
        y, factor = run_dots(x, [(layer.spec, layer.tensors(), 0)]).float(), scale
    else:
        y, factor = layer.convolve(x), torch.ones_like(scale)
    n = y.numel() // y.shape[1]
    # Sums of whole numbers are exact in double precision, and in float as long as they stay below 2^24.
    flat = y.permute(1, 0, 2, 3).reshape(y.shape[1], -1)
    mean = flat.sum(1, dtype=torch.float64) / n
    biased = (flat.square().sum(1, dtype=torch.float64) / n - mean.square()).clamp(min=0)
    return mean * factor, biased * factor.square(), biased * factor.square() * n / max(1, n - 1)
