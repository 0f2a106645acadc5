"""Mixed precision by the command line."""
from typing import Any

import torch


def enable_amp(cfg: Any) -> None:
    """Turns a config's training into one with automatic mixed precision: float16 on a GPU, bfloat16 on a CPU.

    Args:
        cfg (mmengine.config.Config): Its ``optim_wrapper`` gets another type.

    Raises:
        ValueError: If the training has an optimiser of its own, as a NASB search has.
    """
    wrapper = cfg.get('optim_wrapper')
    kind = wrapper.get('type', 'OptimWrapper') if wrapper else None
    if kind not in ('OptimWrapper', 'AmpOptimWrapper', 'nasbnn_det.CPUAmpOptimWrapper') or 'optimizer' not in wrapper:
        raise ValueError('--amp is for trainings with one optimiser, optim_wrapper=dict(optimizer=...) of type '
                         'OptimWrapper; a NASB search sets gradients by hand, in full precision: leave --amp out')
    if torch.cuda.is_available():
        wrapper.type = 'AmpOptimWrapper'
        wrapper.setdefault('loss_scale', 'dynamic')
    else:
        wrapper.type = 'nasbnn_det.CPUAmpOptimWrapper'
        wrapper.pop('loss_scale', None)
