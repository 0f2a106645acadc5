"""Turns a trained network into its packed form: bricks become layers of bits, neighbours become chains."""
import copy
from typing import Dict, List, Optional, Sequence, Tuple, Union

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ..binary import BinaryBlock, BinaryConv2d, BinaryConvModule, QuantConv2d, RPReLU, Stem
from ..binary.quant import quantization_levels
from .chain import PackedChain
from .layer import PackedLayer
from .spec import LayerSpec

_Brick = Union[BinaryConvModule, BinaryConv2d, QuantConv2d, Stem]


def pack(model: nn.Module) -> nn.Module:
    """Packs a network: a classifier, a backbone, a whole detector of any framework.

    Each brick, stem, lone :class:`BinaryConv2d` and :class:`QuantConv2d` becomes a :class:`PackedLayer`; those that
    follow each other in an ``nn.Sequential`` or a block become one :class:`PackedChain`. A module that knows itself to be
    a chain says so by a method ``as_chain()``, which returns its modules in order and after which of them outputs are
    taken, or None for the last; found backbones do. Everything else stays what it is.

    Args:
        model (nn.Module): The network; it is not changed.

    Returns:
        nn.Module: The packed network, in evaluation mode; it can't be trained.

    Raises:
        ValueError: If nothing in it is binary.
    """
    if not any(isinstance(module, BinaryConv2d) for module in model.modules()):
        raise ValueError(f'{type(model).__name__} has no binary convolution, there is nothing to pack')
    packer = _Packer()
    packed = packer.packed(model)
    if packed is None:
        # What becomes a chain is left out of the copy: large, and soon replaced.
        replaced: Dict[int, PackedChain] = {}
        packer.find(model, replaced)
        packed = copy.deepcopy(model, dict(replaced))
        for module in packed.modules():  # the head of a packed file says what the network is
            module._buffers.pop('arch_json', None)
    for parameter in packed.parameters():
        parameter.requires_grad_(False)
    return packed.eval()


def pack_layers(modules: Sequence[nn.Module], fold_norms: bool = True) -> List[PackedLayer]:
    """Packs modules that run one after another.

    Args:
        modules (Sequence[nn.Module]): Bricks, stems, lone convolutions, or blocks and ``nn.Sequential`` of them.
        fold_norms (bool): False leaves batch norms out. Defaults to True.

    Returns:
        list[PackedLayer]: One per convolution.

    Raises:
        ValueError: If a module is none of these.
    """
    packer = _Packer(fold_norms)
    bricks = [_bricks(module) for module in modules]
    if None in bricks:
        raise ValueError(f'{type(modules[bricks.index(None)]).__name__} is no brick and holds more than bricks')
    return [packer.layer(brick) for part in bricks for brick in part]


class _Packer:
    """Packs modules; bricks that share a convolution share its packed weight."""

    def __init__(self, fold_norms: bool = True) -> None:
        self.fold_norms = fold_norms
        self.weights: Dict[int, Tuple[Tensor, ...]] = {}

    def find(self, module: nn.Module, replaced: Dict[int, PackedChain]) -> None:
        """Packs what can be packed below a module, by the id of the module that it replaces."""
        for child in module.children():
            if id(child) in replaced:
                continue
            packed = self.packed(child)
            if packed is not None:
                replaced[id(child)] = packed
            else:
                self.find(child, replaced)

    def packed(self, module: nn.Module) -> Optional[PackedChain]:
        """The chain a module becomes, or None if it is none."""
        if hasattr(module, 'as_chain'):
            parts, outputs = module.as_chain()
        else:
            parts, outputs = [module], None
        layers: List[PackedLayer] = []
        ends = []
        for part in parts:
            bricks = _bricks(part)
            if bricks is None:
                return None
            layers += [self.layer(brick) for brick in bricks]
            ends.append(len(layers) - 1)
        return PackedChain(layers, None if outputs is None else [ends[i] for i in outputs]) if layers else None

    def layer(self, brick: _Brick) -> PackedLayer:
        """Packs one brick, its batch norm folded into the convolution's scale and shift."""
        conv = brick if isinstance(brick, nn.Conv2d) else brick.conv
        alone = brick is conv
        binary = isinstance(conv, BinaryConv2d)
        activation = None if alone else brick.act
        spec = LayerSpec(
            'binary' if binary else 'int8', conv.in_channels, conv.out_channels, conv.groups, conv.kernel_size,
            conv.stride, conv.padding, conv.dilation, shortcut=isinstance(brick, BinaryConvModule),
            activation=activation is not None)
        weight, factor = _binary_weight(conv) if binary else _quantized_weight(conv)
        magnitude, step = (factor, None) if binary else (None, factor)
        scale, shift = _affine(conv, magnitude, None if alone or not self.fold_norms else brick.bn, activation)
        layer = PackedLayer(
            spec, weight, scale, shift, conv.sign.bias.detach() if binary else None,
            None if activation is None else activation.slope.detach(),
            None if activation is None else activation.bias_out.detach(), step)
        if id(conv) in self.weights:
            layer.weight, layer.position_counts = self.weights[id(conv)]
        self.weights[id(conv)] = layer.weight, layer.position_counts
        return layer


def _bricks(module: nn.Module) -> Optional[List[_Brick]]:
    """The bricks that a module runs one after another, or None if it is more than that."""
    if isinstance(module, (BinaryConvModule, Stem)):
        return [module] if isinstance(module.conv, (BinaryConv2d, QuantConv2d)) else None
    if isinstance(module, (BinaryConv2d, QuantConv2d)):
        return [module]
    if type(module) is nn.Sequential or isinstance(module, BinaryBlock):
        bricks: List[_Brick] = []
        for child in module.children():
            found = _bricks(child)
            if found is None:
                return None
            bricks += found
        return bricks
    return None


@torch.no_grad()
def _binary_weight(conv: BinaryConv2d) -> Tuple[Tensor, Tensor]:
    """Signs, True is +1, and the magnitude per output channel."""
    signs, scale = conv.binarized()
    return signs > 0, signs.new_ones(len(signs)) if scale is None else scale


@torch.no_grad()
def _quantized_weight(conv: QuantConv2d) -> Tuple[Tensor, Tensor]:
    """The weight in use, and the step per output channel that it is whole multiples of."""
    levels, step = quantization_levels(conv.weight, conv.current_step())
    return levels.round() * step, step.flatten()


@torch.no_grad()
def _affine(conv: nn.Conv2d, magnitude: Optional[Tensor], bn: Optional[_BatchNorm],
            activation: Optional[RPReLU]) -> Tuple[Tensor, Tensor]:
    """Scale and shift between the bare convolution and the shortcut, in double precision until the end."""
    scale = torch.ones(conv.out_channels, device=conv.weight.device) if magnitude is None else magnitude
    scale = scale.double()
    shift = torch.zeros_like(scale) if conv.bias is None else conv.bias.double()
    if bn is not None:
        factor = bn.weight.double() / (bn.running_var.double() + bn.eps).sqrt()
        scale = scale * factor
        shift = (shift - bn.running_mean.double()) * factor + bn.bias.double()
    if activation is not None:
        shift = shift + activation.bias_in.double()
    return scale.float(), shift.float()
