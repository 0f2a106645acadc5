"""Learning rates and decay by what a parameter is, not by how it is called."""
from typing import Any, Dict, Iterator, List, Optional, Sequence, Set, Tuple

import torch
from mmengine.optim import DefaultOptimWrapperConstructor
from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from ...binary import QuantConv2d, RPReLU
from ...registry import OPTIM_WRAPPER_CONSTRUCTORS

#: Latent weights of binary layers; learned steps of 8-bit weights; what a head ends in, for classes and for anything
#: else (boxes, centreness); all other weights of convolutions and linear layers; all other parameters.
GROUPS = ('latent', 'steps', 'class_predictors', 'box_predictors', 'weights', 'rest')

#: Of the learning rate, for steps under Adam and its like. A step is about a 128th of its filter's largest weight, and Adam
#: moves every parameter by about the rate: so it moves as far, for its size, as the weights do. SGD follows the gradient,
#: which LSQ scales.
STEP_RATE = 1 / 128

_LAYERS = (nn.Conv2d, nn.Linear)
_NORMS = (_NormBase, nn.GroupNorm, nn.LayerNorm)


def parameter_groups(model: nn.Module) -> Dict[int, str]:
    """The group of each parameter.

    * latent: ``weight`` of a layer whose ``weight_bits`` is 1;
    * steps: ``step`` of a :class:`nasbnn_det.binary.QuantConv2d`;
    * class_predictors, box_predictors: the other parameters of a real-valued convolution or linear layer outside of
      ``backbone`` and ``neck`` that no module normalises or activates: its outputs are the head's. Of a head's
      predictors those with 'cls' in their name, as in all of MMDetection's heads, tell classes apart; where none is
      called so, as in a classifier, all do;
    * weights: ``weight`` of any other convolution or linear layer;
    * rest: biases, norms, shifts and slopes, Bi-Transformations.

    Args:
        model (nn.Module): A detector, a classifier, or any network.

    Returns:
        dict[int, str]: By ``id`` of the parameter; one that several modules share is in the first one's group.
    """
    groups: Dict[int, str] = {}
    predictors = dict(_predictors(model))
    named = {name.split('.')[0] for name in predictors if 'cls' in name}
    for name, module in model.named_modules():
        bits = getattr(module, 'weight_bits', 32)
        for key, parameter in module.named_parameters(recurse=False):
            if bits == 1:
                group = 'latent' if key == 'weight' else 'rest'
            elif key == 'step' and isinstance(module, QuantConv2d):
                group = 'steps'
            elif name in predictors:
                of_classes = 'cls' in name or name.split('.')[0] not in named
                group = 'class_predictors' if of_classes else 'box_predictors'
            else:
                group = 'weights' if key == 'weight' and isinstance(module, _LAYERS) else 'rest'
            groups.setdefault(id(parameter), group)
    return groups


def _predictors(model: nn.Module) -> Iterator[Tuple[str, nn.Module]]:
    """Real-valued layers of heads that no module normalises or activates, with their names."""
    for name, parent in model.named_modules():
        if name.split('.')[0] in ('backbone', 'neck'):
            continue
        children = list(parent.named_children())
        for place, (key, child) in enumerate(children):
            if isinstance(child, _LAYERS) and getattr(child, 'weight_bits', 32) != 1:
                others = [c for _, c in children[place + 1:]]
                if not _is_followed(parent, others):
                    yield f'{name}.{key}' if name else key, child


def _is_followed(parent: nn.Module, later: Sequence[nn.Module]) -> bool:
    """Whether the children behind a layer take its output on: in a sequence any, elsewhere those of a unit like MMCV's
    ConvModule, which has one layer and its norm or activation. A head's ReLU beside several layers says nothing."""
    if isinstance(parent, nn.Sequential):
        return bool(later)
    layers = sum(isinstance(child, _LAYERS) for child in parent.children())
    # torch has no base class of its activations, but one module for all of them.
    return layers == 1 and any(
        isinstance(child, (*_NORMS, RPReLU)) or type(child).__module__ == nn.ReLU.__module__ for child in later)


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class BinaryOptimWrapperConstructor(DefaultOptimWrapperConstructor):
    """MMEngine's constructor with multipliers for the groups of :func:`parameter_groups`, whatever head they are of.

    ``paramwise_cfg = dict(groups=dict(class_predictors=dict(lr_mult=0.1)))``: multipliers are 1 where none are given, but
    :data:`STEP_RATE` for the rate of steps, unless the optimiser is SGD.
    They come on top of MMEngine's own options; a parameter that ``custom_keys`` names has theirs alone. Levels of a head
    share their convolutions, therefore ``bypass_duplicate`` is True by default.

    Args:
        optim_wrapper_cfg (dict): As for :class:`mmengine.optim.DefaultOptimWrapperConstructor`.
        paramwise_cfg (dict, optional): Likewise, and ``groups``: for each of :data:`GROUPS` ``lr_mult`` and
            ``decay_mult``. Defaults to None.

    Raises:
        ValueError: If a group or a multiplier is unknown.
    """

    def __init__(self, optim_wrapper_cfg: dict, paramwise_cfg: Optional[dict] = None) -> None:
        paramwise_cfg = dict(paramwise_cfg or {})
        self.multipliers: Dict[str, Dict[str, float]] = dict(paramwise_cfg.pop('groups', None) or {})
        for group, values in self.multipliers.items():
            unknown = set(values) - {'lr_mult', 'decay_mult'}
            if group not in GROUPS or unknown:
                raise ValueError(f"paramwise_cfg.groups has '{group}' with {sorted(values)}; allowed are the groups "
                                 f'{", ".join(GROUPS)}, each with lr_mult and decay_mult')
        if optim_wrapper_cfg.get('optimizer', {}).get('type') not in ('SGD', torch.optim.SGD):
            self.multipliers['steps'] = {'lr_mult': STEP_RATE, **self.multipliers.get('steps', {})}
        paramwise_cfg.setdefault('bypass_duplicate', True)
        super().__init__(optim_wrapper_cfg, paramwise_cfg)

    def add_params(self, params: List[dict], module: nn.Module, prefix: str = '', **kwargs: Any) -> None:
        """Adds a module's parameters; those of the whole model, for which MMEngine calls with no prefix, are multiplied."""
        super().add_params(params, module, prefix, **kwargs)
        if prefix:
            return
        groups = parameter_groups(module)
        custom = self._named_by_hand(module)
        for row in params:
            parameter, = row['params']
            multipliers = self.multipliers.get(groups[id(parameter)], {})
            if id(parameter) in custom:
                continue
            if 'lr_mult' in multipliers:
                row['lr'] = row.get('lr', self.base_lr) * multipliers['lr_mult']
            if 'decay_mult' in multipliers:
                row['weight_decay'] = row.get('weight_decay', self.base_wd) * multipliers['decay_mult']

    def _named_by_hand(self, model: nn.Module) -> Set[int]:
        """Parameters that ``custom_keys`` names; of a shared one its first name counts, as in MMEngine."""
        keys = self.paramwise_cfg.get('custom_keys', {})
        return {id(parameter) for name, parameter in model.named_parameters() if any(key in name for key in keys)}
