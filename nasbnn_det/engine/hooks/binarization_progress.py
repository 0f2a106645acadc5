"""Tells layers whose gradient changes during training how far it has come."""
from typing import Any, List, Optional

from mmengine.hooks import Hook
from torch import nn

from ...registry import HOOKS


@HOOKS.register_module()
class BinarizationProgressHook(Hook):
    """Sets ``progress`` of binary layers before each training step: steps done over all steps, 0 to 1.

    For annealed rules such as IR-Net's and ReCU's; others don't look at it. A resumed training goes on where it was.
    """

    def before_train(self, runner: Any) -> None:
        """Finds the layers."""
        self.layers: List[nn.Module] = [module for module in runner.model.modules() if hasattr(module, 'progress')]

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Optional[Any] = None) -> None:
        """Tells them."""
        progress = runner.iter / max(runner.max_iters, 1)
        for layer in self.layers:
            layer.progress = progress
