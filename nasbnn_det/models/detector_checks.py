"""Whether the parts of a detector fit each other, its data, and what its config asks for."""
import inspect
from typing import Any, Dict, Iterator, List, Sequence, Tuple

import torch
from mmengine.registry import MODELS
from torch import Tensor, nn

from ..binary import BinaryConv2d
from ..costs.forward import evaluating

#: Height and width of the image that shows a detector's levels: the largest stride in use is 128.
_SIZE = 256


def _heads(model: nn.Module) -> List[Tuple[str, nn.Module]]:
    """Heads that tell classes apart, with their names."""
    return [(name, module) for name, module in model.named_modules()
            if (name == 'bbox_head' or name.startswith('roi_head.bbox_head')) and hasattr(module, 'num_classes')]


def check_classes(model: nn.Module, classes: Sequence[str]) -> None:
    """Checks that every head has as many classes as the data.

    Args:
        model (nn.Module): A detector.
        classes (Sequence[str]): Names of the data set's classes; none are not checked.

    Raises:
        ValueError: If a head has another number.
    """
    for name, head in _heads(model):
        if classes and head.num_classes != len(classes):
            raise ValueError(f'model.{name}.num_classes is {head.num_classes}, but the data set has {len(classes)} '
                             f'classes ({", ".join(list(classes)[:3])}, ...); both must be the same')


def check_levels(model: nn.Module) -> None:
    """Runs a detector's backbone and neck once and compares what they give with what the next part was built for.

    Args:
        model (nn.Module): A detector; a part that does not say what it takes is not checked.

    Raises:
        ValueError: If the number, the channels or the strides of the levels differ.
    """
    neck = getattr(model, 'neck', None)
    head = getattr(model, 'bbox_head', None)
    head = getattr(model, 'rpn_head', None) if head is None else head
    with evaluating(model):
        maps = _run_backbone(model, _SIZE)
        if neck is None:
            _check_channels('backbone', maps, 'head', head)
        else:
            _check_channels('backbone', maps, 'neck', neck)
            try:
                maps = _maps(neck(maps))
            except RuntimeError:
                # SSD300's last convolutions, for example, need a larger image than this.
                _check_joins(neck, _run_backbone(model, 2 * _SIZE))
                return
            _check_channels('neck', maps, 'head', head)
    _check_strides(maps, getattr(head, 'prior_generator', None))


def _run_backbone(model: nn.Module, size: int) -> Tuple[Tensor, ...]:
    return _maps(model.backbone(torch.zeros(1, 3, size, size, device=next(iter(model.state_dict().values())).device)))


def _check_joins(neck: nn.Module, maps: Sequence[Tensor]) -> None:
    try:
        neck(maps)
    except RuntimeError as error:
        sizes = [x.shape[-1] for x in maps]
        raise ValueError(f"the neck ({type(neck).__name__}) can't join levels of {sizes} pixels, which the backbone "
                         f"gives for {2 * _SIZE}; choose neighbouring levels by the backbone's out_indices") from error


def _maps(outs: Any) -> Tuple[Tensor, ...]:
    return (outs, ) if isinstance(outs, Tensor) else tuple(outs)


def _check_channels(giver: str, maps: Sequence[Tensor], taker: str, part: Any) -> None:
    wanted = getattr(part, 'in_channels', None)
    found = [x.shape[1] for x in maps]
    if isinstance(wanted, int):
        # Of a head for every level, of a neck for the last one.
        wanted = [wanted] * len(found) if taker == 'head' else [*found[:-1], wanted]
    # Some necks name the coarsest level first.
    if isinstance(wanted, (list, tuple)) and sorted(wanted) != sorted(found):
        raise ValueError(f'the {giver} gives {len(found)} levels of {found} channels, but the {taker} '
                         f'({type(part).__name__}) is built for {list(wanted)}; set their channels and levels alike')


def _check_strides(maps: Sequence[Tensor], priors: Any) -> None:
    strides = [max(s) if isinstance(s, tuple) else s for s in getattr(priors, 'strides', ())]
    if not strides:
        return
    found = [-(-_SIZE // x.shape[-1]) for x in maps]
    # Maps of one or two pixels, and odd sizes rounded up, have no exact stride.
    fit = len(found) == len(strides) and all(abs(x.shape[-1] - _SIZE / s) <= 1 for x, s in zip(maps, strides))
    if not fit:
        raise ValueError(f"the levels have the strides {found}, but the head's points or anchors {strides}; choose "
                         "the backbone's out_indices, or the strides of the head, alike")


def check_conv_cfg(cfg: Dict[str, Any]) -> None:
    """Checks that every part of a model's config with a binary ``conv_cfg`` takes one, before it is built.

    Args:
        cfg (dict): A model's config.

    Raises:
        ValueError: If a part has no such argument: its convolutions can't be chosen by config.
    """
    for path, part in _binary_parts(cfg):
        with MODELS.switch_scope_and_registry(None) as registry:
            kind = registry.get(part['type']) if isinstance(part['type'], str) else part['type']
        accepted = inspect.signature(kind).parameters if kind is not None else {}
        if kind is not None and 'conv_cfg' not in accepted and not any(
                p.kind is p.VAR_KEYWORD for p in accepted.values()):
            raise ValueError(f"model.{path} is a {kind.__name__}, which takes no conv_cfg: its convolutions can't be "
                             'made binary by config; choose another one, or a binary one of nasbnn_det')


def check_binarized(model: nn.Module, cfg: Dict[str, Any]) -> None:
    """Checks that every part with a binary ``conv_cfg`` really has binary convolutions, each with a norm behind it.

    Args:
        model (nn.Module): The model.
        cfg (dict): Its config.

    Raises:
        ValueError: If a part ignores its ``conv_cfg``, or has no ``norm_cfg``: sums of hundreds of ±1 are too large
            for the sign of the next layer.
    """
    for path, _ in _binary_parts(cfg):
        for module in _submodules(model, path):
            if not any(isinstance(m, BinaryConv2d) for m in module.modules()):
                raise ValueError(f'model.{path} ({type(module).__name__}) has a binary conv_cfg and no binary '
                                 'convolution: with these settings it builds none from conv_cfg')
            for name, owner in module.named_modules():
                children = list(owner.children())
                if any(isinstance(c, BinaryConv2d) for c in children) and not any(
                        'Norm' in type(c).__name__ for c in children):
                    raise ValueError(f"model.{path}: the binary convolution in '{name}' has no normalisation behind "
                                     "it; set norm_cfg=dict(type='BN') there, or choose a part that takes a norm_cfg")


def _submodules(model: nn.Module, path: str) -> List[nn.Module]:
    """A part by its place in the config: all modules that one config makes, none where the model has no such name."""
    found: Any = model
    for name in path.split('.'):
        found = getattr(found, name, None)
    if isinstance(found, nn.ModuleList):
        return list(found)
    return [] if found is None else [found]


def _binary_parts(cfg: Dict[str, Any], path: str = '') -> Iterator[Tuple[str, Dict[str, Any]]]:
    """Parts of a model's config whose ``conv_cfg`` is ours, with their places."""
    for key, value in cfg.items():
        if key == 'conv_cfg' and isinstance(value, dict):
            if str(value.get('type', '')).startswith('nasbnn_det.Binary') and 'type' in cfg:
                yield path, cfg
        elif isinstance(value, (dict, list, tuple)):
            parts = {'': value} if isinstance(value, dict) else {f'.{i}': part for i, part in enumerate(value)}
            for place, part in parts.items():
                if isinstance(part, dict):
                    yield from _binary_parts(part, f'{path}.{key}{place}' if path else f'{key}{place}')
