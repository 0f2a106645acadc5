"""Two optimisers for one network: the weights', and the alphas'."""
import copy
from typing import Any, Dict, List, Optional

from mmengine.model import is_model_wrapper
from mmengine.optim import DefaultOptimWrapperConstructor, OptimWrapperDict
from torch import nn

from ...nasb.modules import MixedCell
from ...registry import OPTIM_WRAPPER_CONSTRUCTORS
from .binary import BinaryOptimWrapperConstructor


def mixed_cells(model: nn.Module) -> Dict[str, MixedCell]:
    """The mixed cells of a model by name, in the order of the network.

    Raises:
        ValueError: If it has none.
    """
    model = model.module if is_model_wrapper(model) else model
    backbone = getattr(model, 'backbone', model)
    cells = {name: module for name, module in backbone.named_modules() if isinstance(module, MixedCell)}
    if not cells:
        raise ValueError(f'{type(backbone).__name__} has no mixed cells; a NASB search needs the backbone '
                         'nasbnn_det.NASBSearchResNet')
    return cells


def alpha_parameters(model: nn.Module) -> List[nn.Parameter]:
    """The alphas of a model."""
    return [cell.alphas for cell in mixed_cells(model).values()]


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class NASBOptimWrapperConstructor:
    """Builds the optimisers of a NASB search: ``optim_wrapper = dict(constructor=..., weights=..., alphas=...)``.

    Args:
        optim_wrapper_cfg (dict): ``weights`` and ``alphas``, each an ordinary ``optim_wrapper``; ``weights`` may have a
            ``paramwise_cfg``, as :class:`BinaryOptimWrapperConstructor` takes it.
        paramwise_cfg (dict, optional): Must not be given here. Defaults to None.

    Raises:
        ValueError: If another key is there, one of the two is missing, or has mixed precision.
    """

    def __init__(self, optim_wrapper_cfg: dict, paramwise_cfg: Optional[dict] = None) -> None:
        if set(optim_wrapper_cfg) != {'weights', 'alphas'} or paramwise_cfg is not None:
            given = sorted({*optim_wrapper_cfg, *(['paramwise_cfg'] if paramwise_cfg is not None else [])})
            raise ValueError(f'optim_wrapper has {", ".join(given)}; a NASB search needs weights and alphas, and '
                             'paramwise_cfg inside weights')
        for name, wrapper in optim_wrapper_cfg.items():
            if wrapper.get('type', 'OptimWrapper') != 'OptimWrapper':
                raise ValueError(f'optim_wrapper.{name}.type is {wrapper["type"]}; a NASB search sets gradients by hand, in '
                                 'full precision: only OptimWrapper is allowed')
        self.cfg = optim_wrapper_cfg

    def __call__(self, model: nn.Module) -> OptimWrapperDict:
        """Builds the wrappers of a model."""
        alphas = {id(p) for p in alpha_parameters(model)}
        wrappers = dict(
            weights=self._build(BinaryOptimWrapperConstructor, model, self.cfg['weights']),
            # All parameters, also those without a gradient: alphas get theirs by hand.
            alphas=self._build(DefaultOptimWrapperConstructor, model, self.cfg['alphas']))
        for name, wrapper in wrappers.items():
            groups = wrapper.optimizer.param_groups
            for group in groups:
                group['params'] = [p for p in group['params'] if (id(p) in alphas) == (name == 'alphas')]
            groups[:] = [group for group in groups if group['params']]
        return OptimWrapperDict(**wrappers)

    @staticmethod
    def _build(constructor: type, model: nn.Module, cfg: Dict[str, Any]) -> Any:
        cfg = copy.deepcopy(cfg)
        paramwise = cfg.pop('paramwise_cfg', None)
        return constructor(cfg, paramwise)(model)
