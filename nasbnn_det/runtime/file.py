"""The packed file: one safetensors file that says by itself what it is.

Its metadata hold one JSON object under the key ``nasbnn_det``: format version, layers of every chain, what the network
is, classes, preprocessing, where it came from, and a SHA-256 of all of it. Each chain has two tensors: ``NAME.weights``
(uint8: 1-bit and 8-bit weights one after another) and ``NAME.numbers`` (float32: everything else). What the network has
besides chains stands under ``state.KEY``.

Files come from strangers: every size is checked against the description before memory is taken.
"""
import hashlib
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple, Union

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

from ..files import replacing
from .bits import words_of
from .chain import PackedChain
from .layer import PackedLayer
from .spec import LayerSpec

FORMAT_VERSION = 2
_KEY = 'nasbnn_det'
_PER_CHANNEL = ('scale', 'shift', 'slope', 'bias_out', 'step')
_MAX_VALUES = 1 << 28
# What a layer's description leaves out.
_DEFAULTS = {key: value for key, value in LayerSpec('binary', 1, 1).to_dict().items()
             if key not in ('weight', 'in_channels', 'out_channels')}


@dataclass
class PackedFile:
    """What a packed file holds.

    Args:
        chains (dict[str, PackedChain]): By the name of the module that each takes the place of.
        state (dict[str, Tensor]): Everything else of the model's state dict.
        info (dict): JSON-ready: ``network`` (what :class:`nasbnn_det.runtime.PackedDetector` builds; None if it needs its
            config, and ``needs_config`` says why), ``classes``, ``preprocessing``, ``input_size``, ``arch``,
            ``source_sha256``.
    """
    chains: Dict[str, PackedChain]
    state: Dict[str, Tensor] = field(default_factory=dict)
    info: Dict[str, Any] = field(default_factory=dict)

    def apply_to(self, model: nn.Module) -> nn.Module:
        """Puts the chains into a model in the place of what they were packed from, and loads the rest.

        Args:
            model (nn.Module): A model of the config that the file was made with; it is changed.

        Returns:
            nn.Module: The packed model, in evaluation mode.

        Raises:
            ValueError: If the model has no such modules, another number of classes, or its other keys differ.
        """
        arch = getattr(getattr(model, 'backbone', None), 'arch', None)
        if arch is not None and self.info.get('arch') not in (None, json.loads(json.dumps(arch.to_dict()))):
            raise ValueError('the packed file is of another architecture than the model')
        wanted, classes = getattr(getattr(model, 'bbox_head', None), 'num_classes', None), self.info.get('classes') or ()
        if wanted is not None and classes and len(classes) != wanted:
            raise ValueError(f'the packed file is of {len(classes)} classes, the model of {wanted}')
        names = {name for name, _ in model.named_modules()}
        missing = sorted(set(self.chains) - names)
        if missing:
            raise ValueError(f'the packed file is of another model: {type(model).__name__} has no {missing[0]}')
        for name, chain in self.chains.items():
            parent, _, child = name.rpartition('.')
            setattr(model.get_submodule(parent), child, chain)
        keys = {key for key in model.state_dict() if not any(key.startswith(f'{name}.') for name in self.chains)}
        if keys != set(self.state):
            wrong = sorted(keys ^ set(self.state))
            raise ValueError(f'the packed file is of another model: {len(wrong)} keys differ, such as {wrong[0]}')
        try:
            model.load_state_dict(self.state, strict=False)
        except RuntimeError as error:
            raise ValueError(f'the packed file is of another model: {error}') from error
        return model.eval().requires_grad_(False)


def split_packed(model: nn.Module) -> Tuple[Dict[str, PackedChain], Dict[str, Tensor]]:
    """Chains of a packed model by name, and the rest of its state dict."""
    chains = {name: module for name, module in model.named_modules() if isinstance(module, PackedChain)}
    state = {key: value for key, value in model.state_dict().items()
             if not any(key.startswith(f'{name}.') for name in chains)}
    return chains, state


def save_packed(path: Union[str, os.PathLike], packed: PackedFile) -> None:
    """Writes a packed file, whole or not at all.

    Args:
        path: The file; conventionally ``*.safetensors``.
        packed (PackedFile): What to write.
    """
    data = packed_bytes(packed)
    with replacing(Path(path)) as temporary:
        Path(temporary).write_bytes(data)


def packed_bytes(packed: PackedFile) -> bytes:
    """The content of a packed file."""
    tensors = {f'state.{key}': value.contiguous().clone() for key, value in packed.state.items()}
    described: Dict[str, Any] = {}
    seen: Dict[int, str] = {}
    for name, chain in packed.chains.items():
        layers, weights, numbers = [], [], []
        for i, layer in enumerate(chain.layers):
            entry = {k: v for k, v in layer.spec.to_dict().items() if v != _DEFAULTS.get(k)}
            pointer = layer.weight.data_ptr()
            plain = layer.plain()
            if pointer in seen:
                entry['weight_of'] = seen[pointer]
            else:
                seen[pointer] = f'{name}:{i}'
                weights.append(_weight_bytes(layer.spec, plain))
            numbers += [plain[key].float().numpy().ravel() for key in ('sign_shift', *_PER_CHANNEL) if key in plain]
            layers.append(entry)
        described[name] = dict(layers=layers, outputs=None if chain.outputs is None else list(chain.outputs))
        tensors[f'{name}.weights'] = torch.from_numpy(np.concatenate(weights or [np.zeros(0, np.uint8)]))
        tensors[f'{name}.numbers'] = torch.from_numpy(np.concatenate(numbers))
    header = dict(version=FORMAT_VERSION, chains=described, **packed.info)
    header['sha256'] = _checksum(header, tensors)
    return save_tensors(tensors, {_KEY: json.dumps(header, separators=(',', ':'))})


def _weight_bytes(spec: LayerSpec, plain: Dict[str, Tensor]) -> np.ndarray:
    weight = plain['weight']
    if spec.binary:  # (O, kh, kw, bytes): the bits of a kernel position begin with a byte
        return np.packbits(weight.permute(0, 2, 3, 1).numpy(), axis=-1, bitorder='little').ravel()
    if spec.weight == 'int8':
        levels = (weight / plain['step'].view(-1, 1, 1, 1)).round()
        return levels.to(torch.int8).numpy().ravel().view(np.uint8)
    return weight.float().numpy().ravel().view(np.uint8)


def _checksum(header: Dict[str, Any], tensors: Dict[str, Tensor]) -> str:
    digest = hashlib.sha256(json.dumps({k: v for k, v in header.items() if k != 'sha256'}, sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f'{name} {tensor.dtype} {tuple(tensor.shape)} '.encode() + tensor.numpy().tobytes())
    return digest.hexdigest()


def load_packed(path: Union[str, os.PathLike], check_sum: bool = True) -> PackedFile:
    """Reads a packed file, of whatever origin.

    Args:
        path: The file.
        check_sum (bool): False reads a file whose checksum is wrong. Defaults to True.

    Returns:
        PackedFile: Its contents.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no packed file, of another format version, damaged, or contradicts itself.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"packed file '{path}' does not exist")
    header, tensors = _read(path)
    version = header.get('version')
    if version != FORMAT_VERSION:
        raise ValueError(f"packed file '{path}' has format version {version!r}; this release reads version "
                         f'{FORMAT_VERSION}')
    if check_sum and header.get('sha256') != _checksum(header, tensors):
        raise ValueError(f"packed file '{path}' is damaged: its checksum is wrong")
    try:
        return _build(header, tensors)
    except ValueError as error:
        raise ValueError(f"packed file '{path}' contradicts itself: {error}") from error


def _read(path: Path) -> Tuple[Dict[str, Any], Dict[str, Tensor]]:
    data = path.read_bytes()
    try:
        tensors = load_tensors(data)
        length = int.from_bytes(data[:8], 'little')
        header = json.loads(json.loads(data[8:8 + length])['__metadata__'][_KEY])
    except (SafetensorError, ValueError, KeyError, TypeError, RecursionError, OverflowError) as error:
        # RecursionError: JSON nested thousands deep.
        raise ValueError(f"'{path}' is no packed file, or is cut off ({type(error).__name__}: {error})") from error
    if not isinstance(header, dict):
        raise ValueError(f"'{path}' is no packed file: its description is no JSON object")
    return header, tensors


def _build(header: Dict[str, Any], tensors: Dict[str, Tensor]) -> PackedFile:
    described = header.get('chains')
    if not isinstance(described, dict) or not described:
        raise ValueError('it describes no chains')
    specs: Dict[str, List[LayerSpec]] = {}
    for name, chain in described.items():
        if not isinstance(chain, dict) or set(chain) != {'layers', 'outputs'} or not isinstance(chain['layers'], list):
            raise ValueError(f'chain {name} needs a list of layers and outputs')
        specs[name] = [_read_spec(entry) for entry in chain['layers']]
    if sum(spec.tiled_values + 4 * spec.tiled_channels for chain in specs.values() for spec in chain) > _MAX_VALUES:
        raise ValueError(f'its layers are larger than {_MAX_VALUES} values in all')
    wanted = {f'{name}.{part}' for name in described for part in ('weights', 'numbers')}
    rest = {key for key in tensors if key.startswith('state.')}
    if wanted | rest != set(tensors) or wanted & rest:
        raise ValueError(f'tensors and description differ, such as in {sorted((wanted | rest) ^ set(tensors))[:1]}')
    weights: Dict[str, Tensor] = {}
    chains: Dict[str, PackedChain] = {}
    owners: Dict[str, PackedLayer] = {}
    for name, chain in described.items():
        layers = []
        reader = _Reader(name, tensors[f'{name}.weights'], tensors[f'{name}.numbers'])
        for i, (entry, spec) in enumerate(zip(chain['layers'], specs[name])):
            plain = reader.numbers(spec)
            owner = entry.get('weight_of', f'{name}:{i}')
            if 'weight_of' not in entry:
                weights[owner] = reader.weight(spec, plain.get('step'))
            elif not isinstance(owner, str) or owner not in owners or not _same_weight(owners[owner].spec, spec):
                raise ValueError(f'layer {i} of chain {name} shares the weight of {owner!r}, which is no such weight')
            layer = PackedLayer(spec, weights[owner], **plain)
            if owner in owners:
                layer.weight = owners[owner].weight
            owners.setdefault(owner, layer)
            layers.append(layer)
        reader.finish()
        outputs = chain['outputs']
        if outputs is not None and not (isinstance(outputs, list) and all(type(i) is int for i in outputs)):
            raise ValueError(f'outputs of chain {name} are {outputs!r}; allowed are null and a list of integers')
        chains[name] = PackedChain(layers, outputs)
    info = {key: value for key, value in header.items() if key not in ('version', 'chains', 'sha256')}
    return PackedFile(chains, {key.removeprefix('state.'): tensors[key] for key in rest}, info)


def _same_weight(a: LayerSpec, b: LayerSpec) -> bool:
    return (a.weight, a.weight_shape, a.groups) == (b.weight, b.weight_shape, b.groups)


def _read_spec(entry: Any) -> LayerSpec:
    if not isinstance(entry, dict):
        raise ValueError(f'a layer is described by a dict, not by {type(entry).__name__}')
    return LayerSpec.from_dict({**_DEFAULTS, **{k: v for k, v in entry.items() if k != 'weight_of'}})


class _Reader:
    """Takes the layers' numbers out of a chain's two tensors, in order."""

    def __init__(self, name: str, weights: Tensor, numbers: Tensor) -> None:
        if weights.dtype != torch.uint8 or numbers.dtype != torch.float32 or weights.dim() != 1 or numbers.dim() != 1:
            raise ValueError(f'chain {name} needs uint8 weights and float32 numbers, flat')
        self.name = name
        self._left = dict(weights=weights, numbers=numbers)

    def _take(self, kind: str, count: int) -> Tensor:
        left = self._left[kind]
        if count > left.numel():
            raise ValueError(f'chain {self.name} has too few {kind}')
        self._left[kind] = left[count:]
        return left[:count]

    def numbers(self, spec: LayerSpec) -> Dict[str, Tensor]:
        """The layer's float arguments."""
        names = [*(['sign_shift'] if spec.binary else []), 'scale', 'shift',
                 *(['slope', 'bias_out'] if spec.activation else []), *(['step'] if spec.weight == 'int8' else [])]
        return {name: self._take('numbers', spec.in_channels if name == 'sign_shift' else spec.out_channels).clone()
                for name in names}

    def weight(self, spec: LayerSpec, step: Optional[Tensor]) -> Tensor:
        """The layer's weight."""
        count = int(np.prod(spec.weight_shape))
        if spec.binary:
            rows = spec.out_channels * spec.kernel[0] * spec.kernel[1]
            width = -(-spec.in_per_group // 8)
            data = self._take('weights', rows * width).numpy().reshape(rows, width)
            if spec.in_per_group % 8 and (data[:, -1] >> spec.in_per_group % 8).any():
                raise ValueError(f'chain {self.name} has weights for channels that do not exist')
            padded = np.zeros((rows, 4 * words_of(spec.in_per_group)), np.uint8)
            padded[:, :width] = data
            words = torch.from_numpy(padded.view('<i4').astype(np.int32))
            return words.view(spec.out_channels, *spec.kernel, -1)
        if spec.weight == 'int8':
            data = self._take('weights', count).numpy().view(np.int8)
            return torch.from_numpy(data.astype(np.float32)).view(spec.weight_shape) * step.view(-1, 1, 1, 1)
        data = np.frombuffer(self._take('weights', 4 * count).numpy().tobytes(), np.float32)
        return torch.from_numpy(data.copy()).view(spec.weight_shape)

    def finish(self) -> None:
        """Raises ValueError if anything is left over."""
        for kind, left in self._left.items():
            if left.numel():
                raise ValueError(f'chain {self.name} has {left.numel()} {kind} too many')
