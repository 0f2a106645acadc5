"""The packed chain as a PyTorch operator, ``torch.ops.nasbnn_det.packed_chain``, for torch.compile and torch.export.

Eager code calls :func:`run_chain` with layers; the operator is the same with plain arguments and a shape function.
"""
from typing import Callable, List, Optional, Sequence, Tuple

import torch
from torch import Tensor

from ..native import REFERENCE, current_isa
from .layer import LayerTensors
from .native import NativeChain
from .reference import run_reference
from .spec import INT_NAMES, LayerSpec

_INTS = len(INT_NAMES) + 1  # of a layer: its spec's, and the index of its output
_TENSORS = len(LayerTensors._fields)
Layers = Sequence[Tuple[LayerSpec, LayerTensors, int]]
Shapes = Sequence[Tuple[int, int, int, int]]


def check_input(x: Tensor, layers: Layers) -> None:
    """Raises ValueError where a chain can't take a tensor."""
    if x.is_meta:
        raise ValueError("the packed network runs on the CPU; a tensor on the device 'meta' holds no numbers for it")
    if x.dim() != 4 or x.shape[1] != layers[0][0].in_channels:
        raise ValueError(f'the packed network takes (N, {layers[0][0].in_channels}, H, W); the input has shape '
                         f'{tuple(x.shape)}')
    if x.dtype != torch.float32:
        raise ValueError(f'the packed network takes float32, not {x.dtype}')
    if 0 in x.shape:
        raise ValueError(f'the packed network takes at least one image and pixel; the input has shape {tuple(x.shape)}')


def output_shapes(x: Tensor, layers: Layers) -> Shapes:
    """Shapes of a chain's outputs, in their order."""
    height, width = x.shape[2:]
    shapes = []
    for spec, _, output in layers:
        height, width = spec.output_size(height, width)
        if output >= 0:
            shapes.append((output, (x.shape[0], spec.out_channels, height, width)))
    return [shape for _, shape in sorted(shapes)]


def _empty(x: Tensor, shape: Tuple[int, ...]) -> Tensor:
    return torch.empty(shape, device=x.device, memory_format=torch.channels_last)


def run_chain(x: Tensor, layers: Layers, native: Optional[NativeChain] = None,
              empty: Callable[..., Tensor] = _empty, shapes: Optional[Shapes] = None) -> List[Tensor]:
    """Runs a chain on the instruction set in use.

    Args:
        x (Tensor): Float, shape (N, C, H, W). From another device than the CPU it is brought here, and the outputs go there.
        layers (Sequence): Per layer its spec, its tensors and the index of the output that its map becomes, -1 for none.
        native (NativeChain, optional): The same for the library, if the caller kept it.
        empty (Callable): ``empty(x, shape)`` makes the outputs, channels_last. Defaults to new memory.
        shapes (list, optional): Of the outputs for this input, if the caller kept them.

    Returns:
        list[Tensor]: The outputs.

    Raises:
        ValueError: If the input does not fit.
    """
    check_input(x, layers)
    if x.device.type != 'cpu':
        return [y.to(x.device) for y in run_chain(x.cpu(), layers, native, empty, shapes)]
    shapes = output_shapes(x, layers) if shapes is None else shapes
    if current_isa() == REFERENCE:
        return run_reference(x, layers)[0]
    outputs = [empty(x, shape) for shape in shapes]
    (native or NativeChain(layers)).run(_for_kernels(x, layers), outputs)
    return outputs


def run_dots(x: Tensor, spec: LayerSpec, tensors: LayerTensors, dots: Optional[Tensor] = None) -> Tensor:
    """The plain dot products of a binary layer.

    Args:
        x (Tensor): Float, shape (N, C, H, W), on the CPU.
        spec (LayerSpec): The layer.
        tensors (LayerTensors): Its tensors.
        dots (Tensor, optional): Memory for the result. Defaults to None, new memory.

    Returns:
        Tensor: int32, shape (N, C', H', W'), channels_last.
    """
    layers = [(spec, tensors, -1)]
    check_input(x, layers)
    _check_cpu(x)
    if current_isa() == REFERENCE:
        return run_reference(x, layers)[1].int().contiguous(memory_format=torch.channels_last)
    if dots is None:
        shape = (x.shape[0], spec.out_channels, *spec.output_size(*x.shape[2:]))
        dots = torch.empty(shape, dtype=torch.int32, memory_format=torch.channels_last)
    NativeChain(layers).run(_for_kernels(x, layers), [], dots)
    return dots


def run_sums(x: Tensor, layers: Layers, empty: Callable[..., Tensor] = _empty) -> Tuple[List[Tensor], Tensor]:
    """Runs a chain whose last layer is binary and returns sums instead of its map.

    Args:
        x (Tensor): Float, shape (N, C, H, W), on the CPU.
        layers (Sequence): As for :func:`run_chain`; the last one has no output.
        empty (Callable): As for :func:`run_chain`.

    Returns:
        tuple[list[Tensor], Tensor]: The outputs; and the sums of the last layer's dot products over images and pixels, and
        of their squares, exact: int64, shape (2, C').
    """
    check_input(x, layers)
    _check_cpu(x)
    if current_isa() == REFERENCE:
        outputs, dots = run_reference(x, layers)
        return outputs, torch.stack([dots.long().sum((0, 2, 3)), dots.long().square().sum((0, 2, 3))])
    outputs = [empty(x, shape) for shape in output_shapes(x, layers)]
    sums = torch.empty(2, layers[-1][0].out_channels, dtype=torch.int64)
    NativeChain(layers).run(_for_kernels(x, layers), outputs, sums=sums)
    return outputs, sums


def _check_cpu(x: Tensor) -> None:
    if x.device.type != 'cpu':
        raise ValueError(f"the packed kernels take tensors on the CPU; this one is on '{x.device}'")


def _for_kernels(x: Tensor, layers: Layers) -> Tensor:
    if not layers[0][0].binary:
        return x
    x = x.contiguous(memory_format=torch.channels_last)
    # PyTorch leaves the strides of dimensions of size 1 open.
    n, c, h, w = x.shape
    return x.as_strided(x.shape, (h * w * c, 1, w * c, c))


def _parse(tensors: Sequence[Tensor], ints: Sequence[int]) -> Layers:
    return [(LayerSpec.from_ints(tuple(ints[i * _INTS:(i + 1) * _INTS - 1])),
             LayerTensors(*tensors[i * _TENSORS:(i + 1) * _TENSORS]), ints[(i + 1) * _INTS - 1])
            for i in range(len(ints) // _INTS)]


def as_arguments(layers: Layers) -> Tuple[List[Tensor], List[int]]:
    """A chain's layers as the operator takes them."""
    tensors = [tensor for _, layer_tensors, _ in layers for tensor in layer_tensors]
    return tensors, [n for spec, _, output in layers for n in (*spec.to_ints(), output)]


@torch.library.custom_op('nasbnn_det::packed_chain', mutates_args=())
def packed_chain(x: Tensor, tensors: List[Tensor], layers: List[int]) -> List[Tensor]:
    """Runs a packed chain; :func:`as_arguments` makes the arguments."""
    return [y.clone() if y is x else y for y in run_chain(x, _parse(tensors, layers))]


@packed_chain.register_fake
def _(x: Tensor, tensors: List[Tensor], layers: List[int]) -> List[Tensor]:
    parsed = _parse(tensors, layers)
    return [_empty(x, shape) for shape in output_shapes(x, parsed)]
