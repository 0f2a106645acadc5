"""Networks in a few bytes that can be fine-tuned: a latent weight is kept in eight bits, its sign exactly.

What a binary layer computes needs a sign per weight and a scale per output channel. Fine-tuning needs to know besides how
far each latent weight is from changing its sign. So the weight is kept as its rule leaves it before the sign (transformed
and standardised), in whole numbers from -127 to 127 but 0, with one float per output channel. Read again, it has the
deviation that it had, mean 0 up to rounding, the same signs, and needs no Bi-Transformation, whose matrix becomes the
identity. Its scale moves by less than a percent, and the statistics of the batch norm behind it by as much, so that the
network answers as before.
"""
import os
from typing import Dict, Optional, Tuple, Union

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from ..binary import BinaryConv2d, BinaryConvModule
from ..files import replacing
from .catalog import read_header

FORMAT = 'nasbnn_det eight-bit latents 1'
_LEVELS = 127
_STEP = '|step'


def _in_eight_bits(weight: Tensor) -> Tuple[Tensor, Tensor]:
    """Whole numbers, int8, of the same shape, and the step between them per output channel, shape (O, ); never 0."""
    step = weight.flatten(1).abs().amax(1).clamp(min=torch.finfo(weight.dtype).tiny) / _LEVELS
    shape = (-1, *[1] * (weight.dim() - 1))
    size = (weight.abs() / step.view(shape)).round().clamp(1, _LEVELS)
    return (torch.where(weight < 0, -size, size)).to(torch.int8), step


def _prepared(conv: BinaryConv2d) -> Tensor:
    """The latent weight as its rule leaves it before the sign, with the deviation that it had before."""
    rule = conv.binarization.weights
    latent = conv.weight.detach()
    prepared = rule.prepare(latent, None if conv.transform is None else conv.transform.detach())
    if latent[0].numel() == 1:
        return prepared
    return prepared * (latent.flatten(1).std(1) / prepared.flatten(1).std(1)).view(-1, 1, 1, 1)


@torch.no_grad()
def encode(net: nn.Module) -> Dict[str, Tensor]:
    """A network's state in few bytes.

    Args:
        net (Module): A network with a linear classifier ``fc``, such as :class:`nasbnn_det.supernet.subnet.Subnet`; not
            changed.

    Returns:
        dict[str, Tensor]: Its state dict; weights of binary layers and of the classifier as int8, their steps under the
        weight's name followed by ``|step``.

    Raises:
        ValueError: If a sign would change, as with a rule whose sign depends on more than the prepared weight.
    """
    state = {key: value.clone() for key, value in net.state_dict().items()}
    for name, module in net.named_modules():
        if isinstance(module, BinaryConv2d):
            _encode_layer(name, module, state)
    for name, module in net.named_modules():
        if isinstance(module, BinaryConvModule) and isinstance(module.conv, BinaryConv2d):
            _follow_scale(name, module, state)
    state['fc.weight'], state['fc.weight' + _STEP] = _in_eight_bits(net.fc.weight)
    return {key: value.contiguous() for key, value in state.items()}


def _encode_layer(name: str, conv: BinaryConv2d, state: Dict[str, Tensor]) -> None:
    key, matrix = f'{name}.weight', f'{name}.transform'
    state[key], state[key + _STEP] = _in_eight_bits(_prepared(conv))
    if conv.transform is not None:
        state[matrix] = torch.eye(len(conv.transform))
    changed = int((_binarized(name, conv, state)[0] != conv.binarized()[0]).sum())
    if changed:
        raise ValueError(f"{changed} signs of layer '{name}' would change in eight bits with {conv.binarization}")


def _follow_scale(name: str, brick: BinaryConvModule, state: Dict[str, Tensor]) -> None:
    """Statistics of a batch norm, changed as the scale of the layer before it has changed."""
    before, after = brick.conv.binarized()[1], _binarized(f'{name}.conv', brick.conv, state)[1]
    if before is not None and after is not None:
        ratio = after / before
        state[f'{name}.bn.running_mean'] = brick.bn.running_mean * ratio
        state[f'{name}.bn.running_var'] = (brick.bn.running_var + brick.bn.eps) * ratio.square() - brick.bn.eps


def _binarized(name: str, conv: BinaryConv2d, state: Dict[str, Tensor]) -> Tuple[Tensor, Optional[Tensor]]:
    """Signs and scale of a layer as read from an encoded state."""
    key = f'{name}.weight'
    return conv.binarize(_real(state[key], state[key + _STEP]), state.get(f'{name}.transform'))


def _real(numbers: Tensor, step: Tensor) -> Tensor:
    return numbers.float() * step.view(-1, *[1] * (numbers.dim() - 1))


def decode(state: Dict[str, Tensor]) -> Dict[str, Tensor]:
    """The state dict of the network from what :func:`encode` gave."""
    return {key: _real(value, state[key + _STEP]) if key + _STEP in state else value
            for key, value in state.items() if not key.endswith(_STEP)}


def write(path: Union[str, os.PathLike], net: nn.Module, arch: str) -> None:
    """Writes a network with its architecture, atomically.

    Args:
        path: The file, .safetensors.
        net (Module): As for :func:`encode`.
        arch (str): Its architecture as JSON.
    """
    metadata = dict(format=FORMAT, arch=arch)
    with replacing(path) as part:
        part.write_bytes(save(encode(net), metadata))  # save_file would let nobody else read it


def read(path: Union[str, os.PathLike]) -> Tuple[Dict[str, Tensor], Dict[str, str]]:
    """The state dict of a subnet and what its file says.

    Raises:
        ValueError: If it is no file that :func:`write` wrote, or of a later version.
    """
    header = read_header(path)
    if header.get('format') != FORMAT:
        raise ValueError(f"'{path}' has the format '{header.get('format')}'; allowed is '{FORMAT}'")
    try:
        return decode(load_file(path)), header
    except SafetensorError as error:
        raise ValueError(f"'{path}' is damaged: {error}") from error
