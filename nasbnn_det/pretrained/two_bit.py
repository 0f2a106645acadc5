"""Networks in a few bytes that can be fine-tuned: a latent weight is kept in two bits, its sign exactly.

What a binary layer computes needs a sign per weight and a scale per output channel. Fine-tuning needs to know besides which
latent weights are close to changing their sign. So the weight is taken as its rule leaves it before the sign (transformed
and standardised), and of its size one bit is kept: whether it is among the larger half of its output channel. Sign and half
make four kinds of weights; each is read again as the mean of its kind, a float per output channel. So a channel's mean and
the mean of its sizes stay, and with them the signs after standardisation; its deviation becomes smaller,
of a normal distribution by 6 percent. The
statistics of the batch norm behind it follow its scale, so that the network answers as before. Bi-Transformation's matrix
becomes the identity. The classifier's weights are kept in eight bits.
"""
import os
from typing import Dict, Optional, Tuple, Union

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from ..binary import BinaryConv2d, BinaryConvModule
from ..files import replacing
from .catalog import read_header

FORMAT = 'nasbnn_det two-bit latents 1'
_LEVELS = 127
_STEP, _MEANS, _SHAPE = '|step', '|means', '|shape'
#: Where in a byte its four weights begin.
_PLACES = torch.arange(0, 8, 2, dtype=torch.uint8)


def _in_two_bits(weight: Tensor) -> Tuple[Tensor, Tensor]:
    """Signs and halves, uint8 (O, ceil(K / 4)), four weights a byte, and the mean of each kind of weight, (O, 4)."""
    flat = weight.flatten(1)
    large = torch.zeros_like(flat, dtype=torch.uint8)
    large.scatter_(1, flat.abs().topk(flat.shape[1] // 2, dim=1).indices, 1)
    codes = (flat >= 0).to(torch.uint8) + 2 * large
    kinds = F.one_hot(codes.long(), 4).double()
    means = (kinds * flat[..., None].double()).sum(1) / kinds.sum(1).clamp(min=1)
    fours = F.pad(codes, (0, -flat.shape[1] % 4)).unflatten(1, (-1, 4))
    return (fours << _PLACES).sum(2, dtype=torch.uint8), means.to(weight.dtype)


def _from_two_bits(packed: Tensor, means: Tensor, shape: Tensor) -> Tensor:
    """Weights of shape (O, *shape)."""
    codes = ((packed[..., None] >> _PLACES) & 3).flatten(1)[:, :int(shape.prod())]
    return means.gather(1, codes.long()).unflatten(1, shape.tolist())


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
    state[key], state[key + _MEANS] = _in_two_bits(_prepared(conv))
    state[key + _SHAPE] = torch.tensor(conv.weight.shape[1:])
    if conv.transform is not None:
        state[matrix] = torch.eye(len(conv.transform))
    changed = int((_binarized(name, conv, state)[0] != conv.binarized()[0]).sum())
    if changed:
        raise ValueError(f"{changed} signs of layer '{name}' would change in two bits with {conv.binarization}")


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
    weight = _from_two_bits(state[key], state[key + _MEANS], state[key + _SHAPE])
    return conv.binarize(weight, state.get(f'{name}.transform'))


def _real(numbers: Tensor, step: Tensor) -> Tensor:
    return numbers.float() * step.view(-1, *[1] * (numbers.dim() - 1))


def decode(state: Dict[str, Tensor]) -> Dict[str, Tensor]:
    """The state dict of the network from what :func:`encode` gave."""
    return {key: _whole(key, value, state) for key, value in state.items() if '|' not in key}


def _whole(key: str, value: Tensor, state: Dict[str, Tensor]) -> Tensor:
    if key + _MEANS in state:
        return _from_two_bits(value, state[key + _MEANS], state[key + _SHAPE])
    return _real(value, state[key + _STEP]) if key + _STEP in state else value


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
