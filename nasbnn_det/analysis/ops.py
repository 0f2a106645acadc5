"""Operations of any model, counted on the modules that really run."""
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Dict, Iterator, List, Tuple

import torch
from torch import Tensor, nn

from ..arch import Ops, conv_macs


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


def _by_precision(module: nn.Module, macs: int) -> Ops:
    bits = getattr(module, 'weight_bits', 32)
    if bits == 1:
        return Ops(bops=macs)
    return Ops(int8_macs=macs) if bits == 8 else Ops(float_macs=macs)


def _count(module: nn.Module, output: Tensor) -> Ops:
    if isinstance(module, nn.Linear):
        # The bias counts here, as in the published figures: classes * (C + 1).
        return Ops(float_macs=module.out_features * (module.in_features + (module.bias is not None)))
    macs = conv_macs(module.kernel_size, module.in_channels, module.out_channels, module.groups, output.shape[-2:])
    return _by_precision(module, macs)


@contextmanager
def recording(model: nn.Module) -> Iterator[Dict[nn.Module, Ops]]:
    """Inside, convolutions and linear layers that run add their operations for one image to the dict."""
    counts: Dict[nn.Module, Ops] = {}

    def hook(module: nn.Module, _: Tuple, output: Tensor) -> None:
        counts[module] = counts.get(module, Ops()) + _count(module, output)

    handles = [m.register_forward_hook(hook) for m in model.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    try:
        yield counts
    finally:
        for handle in handles:
            handle.remove()


@torch.no_grad()
def count_model_ops(model: nn.Module, input_size: Tuple[int, int]) -> List[ModuleOps]:
    """Counts a model's convolutions and linear layers for one RGB image.

    Batch norm, activations, shortcuts, pooling, decoding and NMS count nothing, as in
    :func:`nasbnn_det.arch.count_ops`, with which it agrees for a found architecture.

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
    modes = {module: module.training for module in model.modules()}
    parameter = next(model.parameters())
    image = torch.zeros(1, 3, *input_size, device=parameter.device)
    model.eval()
    try:
        with recording(model) as counts:
            # OpenMMLab's models have a mode; 'tensor' ends before decoding and NMS.
            model(image, mode='tensor') if hasattr(model, 'data_preprocessor') else model(image)
    finally:
        for module, training in modes.items():
            module.training = training
    if not counts:
        raise ValueError(f'{type(model).__name__} runs no convolution of its own; for a supernet, count an architecture '
                         'with nasbnn_det.arch.count_ops')
    names = {m: name for name, m in model.named_modules()}
    order = {m: i for i, m in enumerate(names)}
    return [ModuleOps(names[m], type(m).__name__, counts[m]) for m in sorted(counts, key=order.__getitem__)]


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
