"""Ends a training whose loss is no number any more, before a checkpoint of it is written."""
from typing import Any, Dict, Optional

import torch
from mmengine.hooks import Hook
from mmengine.optim import AmpOptimWrapper
from mmengine.runner import Runner

from ...registry import HOOKS


@HOOKS.register_module()
class FiniteLossHook(Hook):
    """Refuses to go on where a loss is NaN or infinite.

    A step with such a loss makes the weights NaN for good, and a few epochs later no checkpoint of before would be left.
    Where float16 is trained with a scaled loss, an overflow is part of the method and its step is left out: there so many in
    a row are needed.

    Args:
        patience (int): Steps in a row with mixed precision. Defaults to 50.

    Raises:
        ValueError: At the first such step, or the last of ``patience``; names the loss, the step and the last
            checkpoint.
    """

    priority = 'VERY_HIGH'  # before whatever writes a checkpoint

    def __init__(self, patience: int = 50) -> None:
        self.patience = patience
        self._in_a_row = 0

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None,
                         outputs: Optional[Dict[str, Any]] = None) -> None:
        """Looks at the step's losses."""
        broken = [name for name, value in (outputs or {}).items()
                  if 'loss' in name and isinstance(value, (torch.Tensor, float)) and not torch.isfinite(
                      torch.as_tensor(value)).all()]
        self._in_a_row = self._in_a_row + 1 if broken else 0
        if not broken or self._in_a_row < (self.patience if isinstance(runner.optim_wrapper, AmpOptimWrapper) else 1):
            return
        last = runner.message_hub.get_info('last_ckpt') if 'last_ckpt' in runner.message_hub.runtime_info else None
        raise ValueError(f"{' and '.join(broken)} is no finite number in step {runner.iter + 1}; nothing was saved since "
                         f"{repr(str(last)) if last else 'the start'}: lower the learning rate, clip the gradients "
                         '(optim_wrapper.clip_grad) or look at the data, and continue by --resume')
