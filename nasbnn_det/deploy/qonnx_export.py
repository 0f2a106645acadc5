"""Networks as QONNX (arXiv 2206.07527): ONNX whose signs and 8-bit weights are nodes ``BipolarQuant`` and ``Quant``, which
compilers for FPGAs read. Checked by executing the file with the qonnx package against PyTorch."""
import os
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Tuple, Union

import numpy as np
import torch
from torch import Tensor, nn

from ..binary import BinaryConv2d, QuantConv2d, RPReLU
from ..binary.quant import quantization_levels
from ..files import replacing
from .onnx_export import FlatNetwork, PlainRPReLU, copy_with, finish_file, named_outputs

#: Of the nodes that ONNX itself does not have.
DOMAIN = 'qonnx.custom_op.general'
_OPSET = 17
_TOLERANCE = 1e-4


class QonnxCheck(NamedTuple):
    """How far the executed file is from PyTorch, for each image: the largest difference over the largest magnitude, of the
    output where that is worst.

    Args:
        differences (list[float]): One an image.
    """
    differences: List[float]

    @property
    def agreeing(self) -> int:
        """Images within 1e-4."""
        return sum(difference <= _TOLERANCE for difference in self.differences)


def export_qonnx(model: nn.Module,
                 path: Union[str, os.PathLike],
                 size: Tuple[int, int],
                 meta: Optional[Dict[str, Any]] = None,
                 images: int = 20) -> QonnxCheck:
    """Writes a network as a QONNX file of one image of one size, if executing it gives what PyTorch gives.

    A binary convolution becomes ``BipolarQuant`` of the shifted input, a ``Conv`` with a ``BipolarQuant`` of the signs as
    its weight, both of scale 1, and a multiplication by the scale of each channel: the sums are whole numbers, and exact.
    ``BipolarQuant`` gives +1 at both zeros, as RSign does. 8-bit weights are ``Quant`` nodes with their learned steps.
    Everything else stays float.

    Args:
        model (nn.Module): As for :func:`nasbnn_det.deploy.onnx_export.export_onnx`; it is not changed.
        path: The file to write.
        size (tuple[int, int]): Height and width of the image.
        meta (dict, optional): JSON-ready values that the file carries as metadata.
        images (int): Random images to compare with. Defaults to 20.

    Returns:
        QonnxCheck: The comparison.

    Raises:
        ValueError: If qonnx is missing, the network can't be exported, or more than half of the images differ by more than
            1e-4. (A value at the threshold of a sign may fall on its other side where floats are added in another order.)
    """
    if find_spec('qonnx') is None:
        raise ValueError("exporting needs the package qonnx; 'pip install nasbnn_det[deploy]' brings it")
    network = FlatNetwork(qonnx_form(model))
    inputs = [torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(i)) for i in range(max(images, 1))]
    with replacing(path) as part:
        _trace(network, inputs[0], part)
        finish_file(part, meta or {}, (DOMAIN, ))
        _infer(part)
        check = _check(model, network.names, part, inputs[:images])
        if 2 * check.agreeing < images:
            raise ValueError(f'qonnx and PyTorch disagree by more than {_TOLERANCE:g} on {images - check.agreeing} of '
                             f'{images} images; the file was not written')
    return check


def qonnx_form(model: nn.Module) -> nn.Module:
    """A copy in evaluation mode whose signs and 8-bit weights are exported as nodes of QONNX.

    Args:
        model (nn.Module): The network.

    Returns:
        nn.Module: The copy; modules shared in the network are shared in it.
    """
    return copy_with(model, {(BinaryConv2d, ): _BipolarConv, (QuantConv2d, ): _EightBitConv, (RPReLU, ): PlainRPReLU})


class _BipolarQuant(torch.autograd.Function):

    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: Tensor) -> Tensor:
        return torch.where(x >= 0, scale, -scale)

    @staticmethod
    def symbolic(g: Any, x: Any, scale: Any) -> Any:
        return g.op(f'{DOMAIN}::BipolarQuant', x, scale).setType(x.type())


class _Quant(torch.autograd.Function):

    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: Tensor, zero: Tensor, bits: Tensor) -> Tensor:
        half = 2**(bits - 1)
        return (x / scale + zero).clamp(-half, half - 1).round().sub(zero) * scale

    @staticmethod
    def symbolic(g: Any, x: Any, scale: Any, zero: Any, bits: Any) -> Any:
        node = g.op(f'{DOMAIN}::Quant', x, scale, zero, bits, signed_i=1, narrow_i=0, rounding_mode_s='ROUND')
        return node.setType(x.type())


class _Conv(nn.Conv2d):
    """A convolution whose weight a node makes of another tensor."""

    def __init__(self, conv: nn.Conv2d, weight: Tensor) -> None:
        super().__init__(conv.in_channels, conv.out_channels, conv.kernel_size, conv.stride, conv.padding, conv.dilation,
                         conv.groups, conv.bias is not None)
        with torch.no_grad():
            self.weight.copy_(weight)
            if conv.bias is not None:
                self.bias.copy_(conv.bias)


class _BipolarConv(_Conv):
    """A binary convolution of ±1 with ±1, scaled behind it."""

    def __init__(self, conv: BinaryConv2d) -> None:
        signs, scale = conv.binarized()
        super().__init__(conv, signs)
        self.register_buffer('shift', conv.sign.bias.detach().view(-1, 1, 1).clone())
        self.register_buffer('one', torch.ones(1))
        self.register_buffer('scale', None if scale is None else scale.detach().view(-1, 1, 1).clone())

    def forward(self, x: Tensor) -> Tensor:
        signs = _BipolarQuant.apply(x + self.shift, self.one)
        y = self._conv_forward(signs, _BipolarQuant.apply(self.weight, self.one), None)
        y = y if self.scale is None else y * self.scale
        return y if self.bias is None else y + self.bias.view(-1, 1, 1)


class _EightBitConv(_Conv):
    """A convolution of real numbers with weights of 8 bits."""

    def __init__(self, conv: QuantConv2d) -> None:
        levels, step = quantization_levels(conv.weight, conv.current_step())
        super().__init__(conv, levels * step)
        for name, value in (('step', step.detach().clone()), ('zero', torch.zeros(1)), ('bits', torch.tensor([8.0]))):
            self.register_buffer(name, value)

    def forward(self, x: Tensor) -> Tensor:
        return self._conv_forward(x, _Quant.apply(self.weight, self.step, self.zero, self.bits), self.bias)


def _trace(network: FlatNetwork, x: Tensor, path: Path) -> None:
    with warnings.catch_warnings(), torch.no_grad():
        for kind in (torch.jit.TracerWarning, DeprecationWarning, FutureWarning, UserWarning):
            # Sizes become constants, which is wanted here, and the exporter infers no shapes behind nodes it doesn't know.
            warnings.simplefilter('ignore', kind)
        network(x)  # names the outputs
        torch.onnx.export(network, (x, ), str(path), opset_version=_OPSET, dynamo=False, input_names=['images'],
                          output_names=network.names, custom_opsets={DOMAIN: 1})


def _infer(path: Path) -> None:
    """Shapes and data types of all tensors, as compilers want them, by qonnx itself."""
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.transformation.fold_constants import FoldConstants
    from qonnx.transformation.general import GiveUniqueNodeNames, SortGraph
    from qonnx.transformation.infer_datatypes import InferDataTypes
    from qonnx.transformation.infer_shapes import InferShapes
    model = ModelWrapper(str(path))
    for step in (InferShapes(), FoldConstants(), SortGraph(), InferDataTypes(), GiveUniqueNodeNames()):
        model = model.transform(step)
    model.save(str(path))


@torch.no_grad()
def _check(model: nn.Module, names: List[str], path: Path, inputs: List[Tensor]) -> QonnxCheck:
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.core.onnx_exec import execute_onnx
    written = ModelWrapper(str(path))
    training, differences = model.training, []
    for x in inputs:
        found = execute_onnx(written, {'images': x.numpy()})
        wanted = dict((name, y.numpy()) for name, y in named_outputs(model.eval()(x)))
        if any(found[name].shape != wanted[name].shape for name in names):
            raise ValueError(f'qonnx gives other shapes than PyTorch for an input of {tuple(x.shape)}')
        differences.append(max(_relative_difference(found[name], wanted[name]) for name in names))
    model.train(training)
    return QonnxCheck(differences)


def _relative_difference(a: np.ndarray, b: np.ndarray) -> float:
    difference = np.abs(a.astype(np.float64) - b).max() / max(np.abs(b).max(), np.finfo(np.float32).tiny)
    return float(difference) if np.isfinite(difference) else 1.0
