"""The release's ``checkpoint.pth.tar`` as a supernet of ours."""
import os
from dataclasses import dataclass
from typing import Any, Dict, Optional, Sequence, Tuple, Union

from torch import Tensor

from ..arch import SearchSpace, get_space
from ..supernet import Supernet
from ..supernet.checkpoint import check_keys, read_checkpoint
from .keys import our_key

_Path = Union[str, os.PathLike]


@dataclass(frozen=True)
class ReleasedSupernet:
    """A supernet read from the release's file, and what became of every key in it.

    Args:
        supernet (Supernet): In evaluation mode. Its batch norm statistics were shared by all architectures:
            extract a subnet and recalibrate it before it is used.
        used (dict[str, str]): The release's key to ours.
        recomputed (tuple[str]): Keys of the release that hold nothing learned, such as scales of binary weights.
    """
    supernet: Supernet
    used: Dict[str, str]
    recomputed: Tuple[str, ...]


def load_released_supernet(path: _Path, space: Union[str, SearchSpace, Dict[str, Any], Sequence] = 'imagenet',
                           num_classes: Optional[int] = None) -> ReleasedSupernet:
    """Reads the release's checkpoint, by safe loading only and strictly: no key may be left over or missing.

    Args:
        path: ``checkpoint.pth.tar``: a dict whose ``state_dict`` has keys with the prefix ``module.``.
        space: As :func:`nasbnn_det.arch.get_space` takes it. Defaults to 'imagenet', the paper's.
        num_classes (int, optional): Classes the checkpoint must have; taken from it if not given.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is no such checkpoint, its keys or shapes are not those of the space, or its number
            of classes is another.
    """
    space = get_space(space)
    released, _ = read_checkpoint(path)
    used, recomputed, state = {}, [], {}
    for key, value in released.items():
        ours = our_key(key)
        if ours is None:
            recomputed.append(key)
            continue
        if ours in state:
            raise ValueError(f"'{path}' has two keys for {ours}; allowed is a checkpoint of NAS-BNN's public release")
        used[key], state[ours] = ours, value
    found = state.get('fc.bias')
    if found is None or found.dim() != 1:
        raise ValueError(f"'{path}' has no classifier 'module.fc.bias'; allowed is a checkpoint of NAS-BNN's public "
                         'release')
    if num_classes is not None and num_classes != found.numel():
        raise ValueError(f"'{path}' has {found.numel()} classes, not {num_classes}")
    supernet = Supernet(space, found.numel())
    own = supernet.state_dict()
    state = {key: _as_ours(value, own.get(key)) for key, value in state.items()}
    state['space_json'] = own['space_json']
    check_keys(own, state, path, f"a checkpoint of NAS-BNN's public release for the space '{space.name}'")
    supernet.load_state_dict(state, strict=True)
    return ReleasedSupernet(supernet.eval(), used, tuple(recomputed))


def _as_ours(value: Tensor, own: Optional[Tensor]) -> Tensor:
    """A shift of shape (1, C, 1, 1) or a flag of shape (1, ) in our shape; anything else as it is."""
    if own is None:
        return value
    same = [n for n in value.shape if n != 1] == [n for n in own.shape if n != 1]
    return value.reshape(own.shape).to(own.dtype) if same else value
