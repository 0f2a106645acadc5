"""Weights of a search's network become those of the found one."""
import os
from dataclasses import asdict
from typing import Any, Dict, List, Optional, Union

from torch import Tensor

from ..identity import decode, encode
from ..supernet.checkpoint import check_keys, read_checkpoint, take_part
from .modules import edge_key
from .network import CellNet
from .operations import CellRules
from .resnet import ResNetShape

_ALPHAS = '.alphas'


def describe_backbone(shape: ResNetShape, rules: CellRules, net: Optional[CellNet]) -> Dict[str, Any]:
    """What a backbone is, JSON-ready: widths and strides, projections, and the cells of a discrete one.

    The rule of binarisation is each convolution's own.
    """
    cells = None if net is None else {name: cell.to_dict() for name, cell in net.by_name.items()}
    return dict(depth=shape.depth, base_channels=shape.base_channels, stem=asdict(shape.stem), projection=rules.projection,
                cells=cells)


def check_backbone(own: Tensor, stored: Optional[Tensor]) -> None:
    """Raises ValueError if a checkpoint says that it holds another backbone than this one."""
    if stored is None:
        return
    ours, theirs = decode(own), decode(stored)
    differing = [key for key in ours if ours[key] != theirs.get(key)]
    if differing:
        raise ValueError(f"the checkpoint's backbone and this one have different {' and '.join(differing)}: "
                         f'{_brief(theirs, differing)} against {_brief(ours, differing)}; give the same in the config')


def _brief(identity: Dict[str, Any], keys: List[str]) -> str:
    texts = [str(identity.get(key)) for key in keys]
    return ', '.join(text if len(text) <= 60 else f'{text[:57]}...' for text in texts)


def is_mixed(state: Dict[str, Tensor]) -> bool:
    """Whether a state dict holds a network of mixed cells."""
    return any(name.endswith(_ALPHAS) for name in state)


def discrete_state(state: Dict[str, Tensor], net: CellNet) -> Dict[str, Tensor]:
    """Takes the weights of a network's cells out of those of a mixed network.

    Args:
        state (dict[str, Tensor]): Of a mixed backbone; not changed.
        net (CellNet): The cells that are wanted.

    Returns:
        dict[str, Tensor]: Of the discrete backbone.
    """
    out = {}
    chosen = {f'{name}.edges.{edge_key(edge.source, edge.target)}.': edge.operation
              for name, cell in net.by_name.items() for edge in cell.edges}
    for key, value in state.items():
        if key.endswith((_ALPHAS, '.temperature')):
            continue
        head, found, tail = key.partition('.edges.')
        if not found:
            out[key] = value
            continue
        edge, operation, rest = tail.split('.', 2)
        prefix = f'{head}.edges.{edge}.'
        if chosen.get(prefix) == operation:
            out[prefix + rest] = value
    return out


def load_backbone_state(path: Union[str, os.PathLike], own: Dict[str, Tensor], net: Optional[CellNet],
                        prefix: Optional[str] = None) -> Dict[str, Tensor]:
    """The weights of a backbone from a checkpoint of a pretraining, a search, a classifier or a detector.

    Args:
        path: The checkpoint.
        own (dict[str, Tensor]): The backbone's own state dict, for its keys and shapes.
        net (CellNet, optional): The cells of a discrete backbone, which takes its part of a mixed one's weights; None
            for a mixed backbone.
        prefix (str, optional): Where in the checkpoint the backbone stands, for example ``'backbone.'``. Found by
            itself if not given.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If keys are missing, left over or of another shape.
    """
    state, _ = read_checkpoint(path)
    given = take_part(state, 'stem.0.conv.weight', ('stem.', 'layer', 'arch_json'), path, prefix)
    if net is not None and is_mixed(given):
        given = discrete_state(given, net)
        # A search's network is no set of cells yet.
        given['arch_json'] = encode({**decode(given['arch_json']), 'cells': decode(own['arch_json'])['cells']})
    check_backbone(own['arch_json'], given.get('arch_json'))
    # A backbone without its last stages is a part of the network that was trained.
    built = {key.partition('.')[0] for key in own}
    given = {key: value for key, value in given.items() if key.partition('.')[0] in built}
    check_keys(own, given, path, 'a checkpoint of exactly these cells, or of the search that found them')
    return given
