"""Networks as ONNX files of standard operators, checked in onnxruntime against PyTorch.

Binary weights are stored as float constants ±a, so the file is as large as a float network's and runs in any ONNX
runtime; its speed is the float convolutions'. The packed runtime is what makes use of the bits.
"""
import copy
import json
import os
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..binary import BinaryConv2d, QuantConv2d, RPReLU, RSign
from ..files import replacing

_OPSET = 17
_PACKAGES = ('onnx', 'onnxruntime')


class OnnxCheck(NamedTuple):
    """How far onnxruntime is from PyTorch at one size.

    Args:
        shape (tuple[int]): Of the input, (N, C, H, W).
        largest (float): Largest relative difference, ``|a - b| / (|b| + median |b|)`` with the median of each output.
        median (float): Median of all of them.
    """
    shape: Tuple[int, ...]
    largest: float
    median: float


def export_onnx(model: nn.Module,
                path: Union[str, os.PathLike],
                shapes: Sequence[Tuple[int, int, int, int]] = ((1, 3, 320, 320), (2, 3, 257, 191)),
                meta: Optional[Dict[str, Any]] = None,
                check: bool = True) -> List[OnnxCheck]:
    """Writes a network as an ONNX file with free batch, height and width, if onnxruntime agrees with PyTorch on it.

    The weights of binary and of 8-bit convolutions become float constants. The sign of the activations stays in the
    graph, as ``Where(GreaterOrEqual(x + b, 0), 1, -1)``: +1 at both zeros. Sums of floats are rounded in another order
    in every runtime, and a value at the threshold of a sign may fall on its other side and change what follows a
    little. So the check is about the middle of all differences, and the largest is reported.

    Args:
        model (nn.Module): A detector of MMDetection with a single stage, or a network with one output such as a
            classifier; it is not changed.
        path: The file to write.
        shapes (Sequence[tuple[int]]): Shapes (N, C, H, W) to compare at; the first is the one that is traced.
        meta (dict, optional): JSON-ready values that the file carries as metadata.
        check (bool): False compares nothing: in a deep network of random weights one turned sign turns many others.
            Defaults to True.

    Returns:
        list[OnnxCheck]: One per shape; none without a check.

    Raises:
        ValueError: If onnx or onnxruntime is missing, the network can't be exported, or onnxruntime disagrees.
    """
    need_packages()
    network = FlatNetwork(plain_form(model))
    inputs = random_images(shapes)
    with replacing(path) as part:
        trace(network, (inputs[0], ), part)
        finish_file(part, meta or {})
        return [compare_outputs(model, part, x) for x in inputs] if check else []


def need_packages() -> None:
    """Says by ValueError which package is missing."""
    missing = [name for name in _PACKAGES if find_spec(name) is None]
    if missing:
        raise ValueError(f"exporting needs the package{'s' if len(missing) > 1 else ''} {' and '.join(missing)}; "
                         "'pip install nasbnn_det[deploy]' brings them")


def random_images(shapes: Sequence[Tuple[int, ...]]) -> List[Tensor]:
    """The same ones for the same shapes, of normally distributed numbers."""
    return [torch.randn(shape, generator=torch.Generator().manual_seed(i)) for i, shape in enumerate(shapes)]


def plain_form(model: nn.Module) -> nn.Module:
    """A copy in evaluation mode in which this project's layers are made of exportable operations.

    Args:
        model (nn.Module): The network.

    Returns:
        nn.Module: The copy; modules shared in the network are shared in it.
    """
    return copy_with(model, {(BinaryConv2d, QuantConv2d): _FoldedConv, (RSign, ): _Sign, (RPReLU, ): PlainRPReLU})


def copy_with(model: nn.Module, forms: Dict[Tuple[type, ...], Callable[[Any], nn.Module]]) -> nn.Module:
    """A copy for inference in which modules of some types have other forms; what the network shares is shared in it."""
    replaced: Dict[int, nn.Module] = {}
    for module in model.modules():
        form = next((form for types, form in forms.items() if isinstance(module, types)), None)
        if form:
            replaced[id(module)] = form(module)
    return copy.deepcopy(model, replaced).eval().requires_grad_(False)


class _Sign(nn.Module):
    """RSign without its surrogate gradient."""

    def __init__(self, sign: RSign) -> None:
        super().__init__()
        self.register_buffer('bias', sign.bias.detach().view(-1, 1, 1).clone())

    def forward(self, x: Tensor) -> Tensor:
        return torch.where(x + self.bias >= 0, 1.0, -1.0)


class PlainRPReLU(nn.Module):
    """RPReLU without its own backward pass."""

    def __init__(self, act: RPReLU) -> None:
        super().__init__()
        for name in ('bias_in', 'bias_out'):
            self.register_buffer(name, getattr(act, name).detach().view(-1, 1, 1).clone())
        self.register_buffer('slope', act.slope.detach().clone())

    def forward(self, x: Tensor) -> Tensor:
        return F.prelu(x + self.bias_in, self.slope) + self.bias_out


class _FoldedConv(nn.Conv2d):
    """A binary or 8-bit convolution with its weight made once."""

    def __init__(self, conv: Union[BinaryConv2d, QuantConv2d]) -> None:
        super().__init__(conv.in_channels, conv.out_channels, conv.kernel_size, conv.stride, conv.padding,
                         conv.dilation, conv.groups, conv.bias is not None)
        with torch.no_grad():
            binary = isinstance(conv, BinaryConv2d)
            self.weight.copy_(conv.binary_weight() if binary else conv.quantized_weight())
            if conv.bias is not None:
                self.bias.copy_(conv.bias)
        self.sign = _Sign(conv.sign) if binary else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(self.sign(x))


class FlatNetwork(nn.Module):
    """Gives a network's outputs as a flat tuple; ``names`` are known after the first call.

    A dense head gives a tuple of branches, each a list of levels: ``cls_0``, ``cls_1``, ..., ``bbox_0``, ... A third
    branch is the one that MMDetection's heads name last, ``extra_0``, ... A single tensor is ``output``.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.names: List[str] = []
        self.eval()  # the exporter puts back the mode it finds

    def forward(self, x: Tensor, *more: Tensor) -> Tuple[Tensor, ...]:
        named = self.outputs(x, *more)
        self.names = [name for name, _ in named]
        return tuple(tensor for _, tensor in named)

    def outputs(self, x: Tensor, *more: Tensor) -> List[Tuple[str, Tensor]]:
        return named_outputs(self.network(x))


def named_outputs(outputs: Any) -> List[Tuple[str, Tensor]]:
    if isinstance(outputs, Tensor):
        return [('output', outputs)]
    branches = ('cls', 'bbox', 'extra')
    if not isinstance(outputs, (tuple, list)) or not 0 < len(outputs) <= len(branches) or not all(
            isinstance(branch, (tuple, list)) and all(isinstance(level, Tensor) for level in branch)
            for branch in outputs):
        raise ValueError('this network can not be exported: allowed are networks with one output tensor, and detectors '
                         'with a dense head whose two or three branches have a tensor per level')
    return [(f'{name}_{i}', level) for name, branch in zip(branches, outputs) for i, level in enumerate(branch)]


def trace(network: FlatNetwork, inputs: Tuple[Tensor, ...], path: Path, input_names: Sequence[str] = ('images', ),
          free: Optional[Dict[str, Dict[int, str]]] = None) -> None:
    """Writes the network as an ONNX file.

    Args:
        network (FlatNetwork): The network.
        inputs (tuple[Tensor]): What it is run on once, images first.
        path (Path): The file.
        input_names (Sequence[str]): A name each. Defaults to 'images' alone.
        free (dict[str, dict[int, str]], optional): Names of free sizes, by input or output and its axis, beside those of
            images and maps: batch, height and width.
    """
    outputs = network(*inputs)
    axes = {name: {0: 'batch', 2: f'{name}_height', 3: f'{name}_width'} if y.dim() == 4 else {0: 'batch'}
            for name, y in zip(network.names, outputs)}
    axes.update(images={0: 'batch', 2: 'height', 3: 'width'}, **free or {})
    with warnings.catch_warnings():
        # The tracer warns where Python reads a size. Only channels are compared and computed with, and they are fixed.
        warnings.simplefilter('ignore', torch.jit.TracerWarning)
        # The other exporter, by torch.export, is newer, but demands proofs that odd sizes meet again after rounding.
        warnings.simplefilter('ignore', DeprecationWarning)
        warnings.simplefilter('ignore', FutureWarning)
        torch.onnx.export(network, inputs, str(path), opset_version=_OPSET, dynamo=False, input_names=list(input_names),
                          output_names=network.names, dynamic_axes=axes)


def finish_file(path: Path, meta: Dict[str, Any], allowed: Tuple[str, ...] = ()) -> None:
    """Adds the metadata, and checks the file against the standard."""
    import onnx
    model = onnx.load(str(path))
    for key, value in meta.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, json.dumps(value)
    domains = sorted({node.domain for node in model.graph.node} - {'', 'ai.onnx', *allowed})
    if domains:
        raise ValueError(f'the network can not be written in standard operators: some are of {domains}')
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, str(path))


def run_onnx(model: Union[Path, bytes], inputs: Dict[str, np.ndarray], names: Sequence[str]) -> List[np.ndarray]:
    """Outputs of a file, or of its bytes, in onnxruntime on the CPU."""
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3  # no warning that an input has a default
    source = model if isinstance(model, bytes) else str(model)
    session = onnxruntime.InferenceSession(source, options, providers=['CPUExecutionProvider'])
    return session.run(list(names), inputs)


def compare_outputs(model: nn.Module, path: Path, x: Tensor) -> OnnxCheck:
    """Compares a file's outputs with the network's in PyTorch.

    Raises:
        ValueError: If shapes differ, or the median of the differences is too large.
    """
    training = model.training
    with torch.no_grad():
        wanted = named_outputs(model.eval()(x))
    model.train(training)
    results = run_onnx(path, {'images': x.numpy()}, [name for name, _ in wanted])
    if any(a.shape != tuple(b.shape) for a, (_, b) in zip(results, wanted)):
        raise ValueError(f'onnxruntime gives other shapes than PyTorch for an input of {tuple(x.shape)}')
    differences = np.concatenate([_relative_difference(a, b.numpy()).ravel() for a, (_, b) in zip(results, wanted)])
    found = OnnxCheck(tuple(x.shape), float(differences.max()), float(np.median(differences)))
    if not found.median < 1e-3:
        raise ValueError(f'onnxruntime and PyTorch disagree at {found.shape}: half of the relative differences are above '
                         f'{found.median:.3g}; the file was not written')
    return found


def _relative_difference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """See :class:`OnnxCheck`; 0 where both are the same infinity, 1 where one is no number or infinite alone."""
    magnitude = np.abs(b.astype(np.float64))
    with np.errstate(invalid='ignore', divide='ignore'):
        relative = np.abs(a - b.astype(np.float64)) / (magnitude + np.median(magnitude))
    return np.where(a == b, 0, np.where(np.isnan(relative), 1, relative))
