"""The form a subnet is evaluated in: the same numbers as the static network, several times faster.

A search evaluates thousands of networks on a few batches each. Here every binary weight is made once instead of once a
batch, batch norms are folded into the convolutions after recalibration, and the taps of a kernel that never meet a pixel
of a small map are cut off. Whatever offers the same two methods can take its place, see
:class:`nasbnn_det.engine.evaluation.subnet_evaluator.SubnetEvaluator`.
"""
from typing import Iterable, Optional, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ..binary.brick import BinaryConvModule
from ..binary.shortcut import shortcut
from ..binary.stem import Stem
from .recalibrate import collecting_statistics
from .subnet import Subnet


def crop_kernel(weight: Tensor, size: Tuple[int, int]) -> Tensor:
    """Cuts the taps off that lie outside a map wherever the kernel is centred inside it.

    Args:
        weight (Tensor): Shape (O, I, k, k), k odd, to be used with padding k // 2.
        size (tuple[int, int]): Height and width of the map.

    Returns:
        Tensor: Shape (O, I, k', k''), with the same result at padding (k' // 2, k'' // 2).
    """
    radius = weight.shape[-1] // 2
    cut = [max(radius - (n - 1), 0) for n in size]
    return weight[:, :, cut[0]:weight.shape[2] - cut[0], cut[1]:weight.shape[3] - cut[1]]


class _Brick:
    """One brick: its binary weight made once, its batch norm folded on demand."""

    def __init__(self, brick: BinaryConvModule) -> None:
        conv = brick.conv
        self.signs, scale = (None if value is None else value.detach() for value in conv.binarized())
        self.scale = self.signs.new_ones(len(self.signs)) if scale is None else scale
        # + 0.0: a shift of -0 would turn into a sign of -1.
        self.shift = conv.sign.bias.detach().view(-1, 1, 1) + 0.0
        self.stride, self.groups, self.out_channels = conv.stride[0], conv.groups, conv.out_channels
        self.bn = brick.bn
        self.bias_in, self.slope = brick.act.bias_in.detach(), brick.act.slope.detach()
        self.bias_out = brick.act.bias_out.detach().view(-1, 1, 1)
        self.one = self.signs.new_ones(())
        self.folded: Optional[Tuple[Tensor, Tensor]] = None

    def fold(self) -> None:
        """Folds the batch norm's statistics, which are final now, and the shift before the PReLU."""
        factor = self.bn.weight * (self.bn.running_var + self.bn.eps).rsqrt()
        bias = self.bn.bias - self.bn.running_mean * factor + self.bias_in
        self.folded = (self.scale * factor).view(-1, 1, 1), bias.view(-1, 1, 1)

    def __call__(self, x: Tensor) -> Tensor:
        signs = x + self.shift
        torch.copysign(self.one, signs, out=signs)
        weight = crop_kernel(self.signs, x.shape[2:])
        # ±1 with ±1: exact in any precision that a GPU convolves in.
        y = F.conv2d(signs, weight, None, self.stride, (weight.shape[2] // 2, weight.shape[3] // 2), 1, self.groups)
        if self.folded is None:
            y = self.bn(y.mul_(self.scale.view(-1, 1, 1))).add_(self.bias_in.view(-1, 1, 1))
        else:
            y = torch.addcmul(self.folded[1], y, self.folded[0])
        y += shortcut(x, self.out_channels, self.stride)
        return F.prelu(y, self.slope).add_(self.bias_out)


class _Stem:
    """The stem: its 8-bit weight made once."""

    def __init__(self, stem: Stem) -> None:
        self.stem = stem
        self.weight = stem.conv.quantized_weight().detach()

    def __call__(self, x: Tensor) -> Tensor:
        conv = self.stem.conv
        return self.stem.act(self.stem.bn(F.conv2d(x, self.weight, None, conv.stride, conv.padding)))


class InferenceSubnet:
    """A subnet made ready to be recalibrated and evaluated.

    Args:
        subnet (Subnet): The network, on the device of the images; :meth:`recalibrate` sets its statistics too.
    """

    def __init__(self, subnet: Subnet) -> None:
        self.subnet = subnet.eval()
        self.stem = _Stem(subnet.stem)
        self.bricks = [_Brick(brick) for stage in subnet.stages for block in stage
                       for brick in (block.conv1, block.conv2)]

    @torch.no_grad()
    def recalibrate(self, batches: Iterable[Tensor]) -> None:
        """As :func:`nasbnn_det.supernet.recalibrate_bn`; afterwards calls use these statistics.

        Args:
            batches (Iterable[Tensor]): Images of shape (N, 3, H, W).

        Raises:
            ValueError: If there is no batch.
        """
        for brick in self.bricks:
            brick.folded = None
        with collecting_statistics(self.subnet):
            seen = sum(self._features(images) is not None for images in batches)
        if not seen:
            raise ValueError('batch norm recalibration needs at least one batch of images, got none')
        for brick in self.bricks:
            brick.fold()

    def _features(self, images: Tensor) -> Tensor:
        x = self.stem(images)
        for brick in self.bricks:
            x = brick(x)
        return x

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Tensor:
        """Logits of shape (N, classes) for images of shape (N, 3, H, W)."""
        return self.subnet.fc(self._features(images).mean((2, 3)))
