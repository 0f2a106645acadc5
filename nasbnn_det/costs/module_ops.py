"""Operations of any model, counted on the modules that really run."""
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

import torch
from torch import Tensor, nn

from . import Ops, conv_macs
from .forward import forward_once


@dataclass(frozen=True)
class ModuleOps:
    """Operations of one module.

    Args:
        name (str): Its name in the model.
        kind (str): Its class.
        ops (Ops): For one image, summed over its calls (a shared module runs once per level).
    """
    name: str
    kind: str
    ops: Ops


def _count_conv(conv: nn.Conv2d, inputs: Tuple, output: Tensor) -> Ops:
    macs = conv_macs(conv.kernel_size, conv.in_channels, conv.out_channels, conv.groups, output.shape[-2:])
    # A head that runs on every proposal has them where images have their number.
    macs *= output.shape[0]
    bits = getattr(conv, 'weight_bits', 32)
    if bits == 1:
        return Ops(bops=macs)
    return Ops(int8_macs=macs) if bits == 8 else Ops(float_macs=macs)


def _count_deconv(conv: nn.ConvTranspose2d, inputs: Tuple, output: Tensor) -> Ops:
    size = inputs[0].shape[-2:]
    macs = conv_macs(conv.kernel_size, conv.in_channels, conv.out_channels, conv.groups, size)
    return Ops(float_macs=macs * output.shape[0])


def _count_linear(linear: nn.Linear, inputs: Tuple, output: Tensor) -> Ops:
    # The bias counts here, as in the published figures: classes * (C + 1).
    times = output.numel() // linear.out_features
    return Ops(float_macs=times * linear.out_features * (linear.in_features + (linear.bias is not None)))


_COUNTERS: Dict[type, Callable[[Any, Tuple, Tensor], Ops]] = {
    nn.Conv2d: _count_conv,
    nn.ConvTranspose2d: _count_deconv,
    nn.Linear: _count_linear,
}


def _counter(module: nn.Module) -> Optional[Callable[[Any, Tuple, Tensor], Ops]]:
    """What counts a module, or None. Deformable convolutions are counted as plain ones, without their sampling."""
    if type(module).__name__ in ('DeformConv2d', 'DeformConv2dPack', 'ModulatedDeformConv2d',
                                 'ModulatedDeformConv2dPack'):
        return _count_conv
    return next((count for kind, count in _COUNTERS.items() if isinstance(module, kind)), None)


@contextmanager
def recording(model: nn.Module) -> Iterator[Dict[nn.Module, Ops]]:
    """Inside, convolutions and linear layers that run add their operations to the dict."""
    counts: Dict[nn.Module, Ops] = {}

    def hook(module: nn.Module, inputs: Tuple, output: Tensor) -> None:
        counts[module] = counts.get(module, Ops()) + _counter(module)(module, inputs, output)

    handles = [m.register_forward_hook(hook) for m in model.modules() if _counter(m) is not None]
    try:
        yield counts
    finally:
        for handle in handles:
            handle.remove()


@torch.no_grad()
def count_model_ops(model: nn.Module, input_size: Tuple[int, int]) -> List[ModuleOps]:
    """Counts a model's convolutions and linear layers for one RGB image.

    Batch norm, activations, shortcuts, pooling, decoding and NMS count nothing, as in
    :func:`nasbnn_det.costs.count_ops`, with which it agrees for a found architecture; :func:`not_counted` names what
    else a model runs. The second stage of a detector is counted for as many proposals as its test settings let
    through.

    Args:
        model (nn.Module): A network on images, or a detector or classifier of OpenMMLab, of which backbone, neck
            and head run.
        input_size (tuple[int, int]): Height and width in pixels.

    Returns:
        list[ModuleOps]: One per module that ran, in the order of the model.

    Raises:
        ValueError: If no convolution or linear layer ran as a module, as in a supernet, whose operations depend on
            the architecture.
    """
    with recording(model) as counts:
        forward_once(model, input_size)
    if not counts:
        raise ValueError(f'{type(model).__name__} runs no convolution of its own; for a supernet, count an '
                         'architecture with nasbnn_det.costs.count_ops')
    names = {m: name for name, m in model.named_modules()}
    order = {m: i for i, m in enumerate(names)}
    return [ModuleOps(names[m], type(m).__name__, counts[m]) for m in sorted(counts, key=order.__getitem__)]


#: What counts nothing by the rules of the table.
FREE = ('batch norm', 'activations', 'shortcuts', 'pooling', 'interpolation', 'decoding', 'NMS')
_FREE_MODULES = ('RSign', 'RPReLU', 'PReLU', 'Scale', 'L2Norm')


def not_counted(model: nn.Module, rows: List[ModuleOps]) -> List[str]:
    """Everything that a count leaves out: what is free by the rules, and modules with weights that no rule knows.

    Args:
        model (nn.Module): The model.
        rows (list[ModuleOps]): What :func:`count_model_ops` gave for it.

    Returns:
        list[str]: Kinds of work; modules of a kind that has no rule (attention, for example), and modules that did not
        run, such as branches for training alone, by name.
    """
    counted = {row.name for row in rows}
    out = list(FREE)
    for name, module in model.named_modules():
        if name in counted or not any(True for _ in module.parameters(recurse=False)):
            continue
        kind = type(module).__name__
        kinds = {base.__name__ for base in type(module).__mro__}
        if _counter(module) is not None:
            out.append(f'{name} ({kind}, did not run)')
        elif not kinds & set(_FREE_MODULES) and 'Norm' not in kind:
            out.append(f'{name} ({kind})')
    return out


def total(rows: List[ModuleOps]) -> Ops:
    """Sum of all rows."""
    return sum((row.ops for row in rows), Ops())


def by_part(rows: List[ModuleOps]) -> Dict[str, Ops]:
    """Sums by the first part of the name: backbone, neck, bbox_head."""
    parts: Dict[str, Ops] = {}
    for row in rows:
        part = row.name.split('.')[0]
        parts[part] = parts.get(part, Ops()) + row.ops
    return parts
