"""One architecture, named once: neck and heads take their channels from the part before them."""
import copy
import inspect
from typing import Any, Dict, Iterator, Optional, Tuple

from mmengine.registry import MODELS
from torch import nn

from ..binary import Binarizes, get_binarization


def fit_parts(backbone: Any, neck: Any, heads: Dict[str, Any],
              binarization: Optional[Binarizes]) -> Tuple[nn.Module, Optional[nn.Module], Dict[str, Any]]:
    """Builds backbone and neck, and fills in what their channels decide.

    ``in_channels`` of the neck and of the heads, and ``out_channels`` of the RoI extractor, are filled in where they are
    left out or None; numbers stay.

    Args:
        backbone (dict): Its config.
        neck (dict, optional): Its config.
        heads (dict): Configs of the heads by the detector's arguments: ``bbox_head``, ``rpn_head``, ``roi_head``.
        binarization (Binarization | str | dict, optional): Of every part, as
            :func:`nasbnn_det.binary.get_binarization` takes it; 'float' makes float weights in the predictors too. None
            leaves each as its config says.

    Returns:
        tuple[nn.Module, nn.Module | None, dict]: Backbone, neck and the configs of the heads.

    Raises:
        ValueError: If channels can't be filled in, a part has no choice, or the binarization is unknown.
    """
    backbone, neck, heads = copy.deepcopy((backbone, neck, heads))
    parts = {'backbone': backbone, **({} if neck is None else {'neck': neck}), **dict(_heads(heads))}
    if binarization is not None:
        is_float = get_binarization(binarization).is_float
        for name, part in parts.items():
            _set_binarization(name, part, binarization, is_float)
    built = MODELS.build(backbone)
    channels, giver = getattr(built, 'out_channels', None), f'the backbone ({type(built).__name__})'
    built_neck = None
    if neck is not None:
        _fill('neck', neck, 'in_channels', channels, giver)
        built_neck = MODELS.build(neck)
        channels, giver = getattr(built_neck, 'out_channels', None), f'the neck ({type(built_neck).__name__})'
    if not isinstance(channels, int) and len(set(channels or ())) == 1:
        channels = channels[0]  # most heads take one number for all levels
    for name, head in _heads(heads):
        _fill(name, head, 'in_channels', channels, giver)
    extractor = heads.get('roi_head', {}).get('bbox_roi_extractor')
    if isinstance(extractor, dict):
        _fill('roi_head.bbox_roi_extractor', extractor, 'out_channels', channels, giver)
    return built, built_neck, heads


def is_built(module: nn.Module) -> Dict[str, Any]:
    """A module as a config from which MMEngine's registry "builds" it: OpenMMLab's detectors take configs alone."""
    return dict(type=lambda: module)


def _heads(heads: Dict[str, Any]) -> Iterator[Tuple[str, Dict[str, Any]]]:
    """Places and configs of the heads that read features."""
    for name, head in heads.items():
        if name != 'roi_head':
            yield name, head
        elif isinstance(head.get('bbox_head'), dict):
            yield 'roi_head.bbox_head', head['bbox_head']


def _fill(name: str, part: Dict[str, Any], key: str, channels: Any, giver: str) -> None:
    if part.get(key) is not None:
        return
    if channels is None:
        raise ValueError(f'model.{name}.{key} is not given, and {giver} does not say its channels; set it to numbers')
    part[key] = list(channels) if isinstance(channels, tuple) else channels  # stock necks insist on a list


def _set_binarization(name: str, part: Dict[str, Any], binarization: Binarizes, is_float: bool) -> None:
    with MODELS.switch_scope_and_registry(None) as registry:
        kind = registry.get(part['type']) if isinstance(part['type'], str) else part['type']
    if kind is None:
        raise ValueError(f"model.{name}.type is '{part['type']}', which is registered nowhere")
    if not _takes(kind, 'binarization'):
        raise ValueError(f"model.{name} is a {kind.__name__}, which has no choice of binarization; leave "
                         'model.binarization out, or choose parts of nasbnn_det that have one')
    part['binarization'] = binarization
    if is_float and _takes(kind, 'quant_predictors'):
        part.setdefault('quant_predictors', False)


def _takes(kind: type, argument: str) -> bool:
    """Whether a class, or one that it passes its arguments on to, has an argument."""
    return any(argument in inspect.signature(c.__init__).parameters for c in kind.__mro__ if '__init__' in vars(c))
