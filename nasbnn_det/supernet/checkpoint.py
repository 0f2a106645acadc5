"""Supernet and subnet files: read and written strictly, with safe loading only."""
import hashlib
import json
import os
from pathlib import Path
from typing import Any, Dict, Optional, Tuple, Union

import torch
from torch import Tensor

from ..arch import Arch
from ..files import replacing
from ..pretrained import locate, two_bit
from ..safe_load import allow_log_history
from .extract import extract_subnet
from .subnet import Subnet
from .supernet import Supernet, decode

_Path = Union[str, os.PathLike]


def file_sha256(path: _Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def load_safely(path: _Path, what: str) -> Any:
    """What a file that ``torch.save`` wrote holds; never runs code from it.

    Args:
        path: The file.
        what (str): What it should be, for the messages.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it can't be read, or holds more than tensors and plain values.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"{what} '{path}' does not exist; give the path of a .pth or .pth.tar file")
    try:
        allow_log_history()
        return torch.load(path, map_location='cpu', weights_only=True)
    except Exception as error:  # torch raises many kinds, and all say the same to the user
        raise ValueError(f"'{path}' is no readable {what}; allowed are files that torch.load reads with "
                         f'weights_only=True ({type(error).__name__})') from error


def read_checkpoint(path: _Path) -> Tuple[Dict[str, Tensor], Dict[str, Any]]:
    """Reads a checkpoint's state dict and meta; never runs code from the file.

    Args:
        path: File written by MMEngine's runner, by :func:`save_subnet` or by ``torch.save(state_dict)``; one of two-bit
            latents, .safetensors; or ``nasbnn_det://NAME``, weights that come with the package.

    Returns:
        tuple[dict, dict]: State dict and meta (empty where the file has none).

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is no checkpoint.
    """
    file = locate(path)
    if file.suffix == '.safetensors' and file.is_file():
        numbers, header = two_bit.read(file)
        return numbers, dict(header, arch=json.loads(header['arch']))
    data = load_safely(file, 'checkpoint')
    state = data.get('state_dict', data) if isinstance(data, dict) else None
    if not isinstance(state, dict) or not state or not all(isinstance(v, Tensor) for v in state.values()):
        raise ValueError(f"'{path}' holds no state dict; allowed are checkpoints with named tensors")
    meta = data.get('meta')
    return dict(state), meta if isinstance(meta, dict) else {}


def _find_prefix(state: Dict[str, Tensor], key: str, path: _Path) -> str:
    """The prefix under which ``key`` stands in a state dict, for example ``'backbone.'``.

    Raises:
        ValueError: If it stands there never or more than once.
    """
    found = [name[:-len(key)] for name in state if name == key or name.endswith('.' + key)]
    if len(found) != 1:
        names = ', '.join(list(state)[:3])
        raise ValueError(f"'{path}' has {len(found)} keys that end in '{key}' where one is needed; "
                         f'its keys begin with {names}, ...')
    return found[0]


def take_part(state: Dict[str, Tensor], key: str, beginnings: Tuple[str, ...], path: _Path,
              prefix: Optional[str] = None) -> Dict[str, Tensor]:
    """The weights of one part of a model, without the prefix they stand under.

    Args:
        state (dict[str, Tensor]): The model's state dict.
        key (str): A key of the part, by which its prefix is found if it is not given.
        beginnings (tuple[str]): How the part's own keys begin, ``('', )`` for any; others under its prefix are left out.
        path: The checkpoint, for error messages.
        prefix (str, optional): For example ``'backbone.'``.

    Raises:
        ValueError: If the prefix can't be told.
    """
    if prefix is None:
        prefix = _find_prefix(state, key, path)
    return {name[len(prefix):]: value for name, value in state.items()
            if name.startswith(prefix) and name.startswith(beginnings, len(prefix))}


def is_supernet(state: Dict[str, Tensor]) -> bool:
    """Whether a state dict holds a supernet."""
    return any(name.rpartition('.')[2] == 'space_json' for name in state)


def load_supernet(path: _Path) -> Supernet:
    """Builds the supernet that a checkpoint describes and loads its weights strictly.

    Args:
        path: Checkpoint of a supernet's training.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it holds no supernet, or keys are missing, left over or of another shape.
    """
    return supernet_from_state(read_checkpoint(path)[0], path)


def supernet_from_state(state: Dict[str, Tensor], path: _Path) -> Supernet:
    """As :func:`load_supernet`, from a state dict that was read from ``path``."""
    if not is_supernet(state):
        raise ValueError(f"'{path}' holds no supernet: the key 'space_json' is missing; give a checkpoint of "
                         'supernet training')
    state = take_part(state, 'space_json', ('', ), path)
    if 'fc.bias' not in state:
        raise ValueError(f"'{path}' has wrong keys for a supernet: missing fc.bias")
    try:
        space, binarization = decode(state['space_json'])
    except ValueError as error:
        raise ValueError(f"'{path}' is damaged: its search space can't be read ({error})") from error
    supernet = Supernet(space, state['fc.bias'].numel(), binarization)
    check_keys(supernet.state_dict(), state, path)
    supernet.load_state_dict(state, strict=True)
    return supernet


def check_keys(own: Dict[str, Tensor], given: Dict[str, Tensor], path: _Path,
               allowed: str = 'a checkpoint of exactly this architecture') -> None:
    """Raises ValueError in one sentence, which ends in what is ``allowed``, unless keys and shapes are the same."""
    missing, left = sorted(set(own) - set(given)), sorted(set(given) - set(own))
    shapes = sorted(k for k in set(own) & set(given) if own[k].shape != given[k].shape)
    problems = [f'{len(keys)} {what} (first: {keys[0]})'
                for keys, what in ((missing, 'missing'), (left, 'left over'), (shapes, 'of another shape')) if keys]
    if problems:
        raise ValueError(f"'{path}' has wrong keys for this network: {', '.join(problems)}; allowed is {allowed}")


def save_subnet(path: _Path, subnet: Subnet, **meta: Any) -> None:
    """Writes a static network with its architecture, atomically.

    Args:
        path: Where to write.
        subnet (Subnet): The network.
        **meta: Plain values to keep beside it, such as the supernet's hash.
    """
    _save(path, subnet.state_dict(), dict(arch=subnet.arch.to_dict(), **meta))


def save_supernet(path: _Path, supernet: Supernet, **meta: Any) -> None:
    """Writes a supernet, which names its space itself, atomically.

    Args:
        path: Where to write.
        supernet (Supernet): The supernet.
        **meta: Plain values to keep beside it, such as where it came from.
    """
    _save(path, supernet.state_dict(), meta)


def _save(path: _Path, state: Dict[str, Tensor], meta: Dict[str, Any]) -> None:
    with replacing(path) as part:
        torch.save(dict(state_dict=state, meta=meta), part)


def take_subnet(supernet: Supernet, arch: Arch) -> Dict[str, Tensor]:
    """The features' weights of one architecture: keys ``stem.*``, ``stages.*`` and ``arch_json`` of :class:`Subnet`."""
    return {key: value for key, value in extract_subnet(supernet, arch).state_dict().items() if not key.startswith('fc.')}


def load_classifier_state(path: _Path, own: Dict[str, Tensor]) -> Dict[str, Tensor]:
    """The linear classifier's weights from a checkpoint that :func:`save_subnet` wrote.

    Args:
        path: The checkpoint.
        own (dict[str, Tensor]): The classifier's own ``weight`` and ``bias``, for their shapes.

    Returns:
        dict[str, Tensor]: ``weight`` (classes, C) and ``bias`` (classes, ).

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it has no classifier, or one of another shape.
    """
    state, _ = read_checkpoint(path)
    given = {key.removeprefix('fc.'): value for key, value in state.items() if key.startswith('fc.')}
    check_keys(own, given, path, f"an extracted subnet with {len(own['bias'])} classes")
    return given
