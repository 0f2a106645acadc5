"""What safe loading lets through beyond tensors and plain values: the log history in checkpoints of MMEngine's runner.

MMEngine 0.10 reads checkpoints by torch's defaults, which since torch 2.6 refuse this history; without what follows,
``--resume`` ends in torch's error. Nothing here lets a file run code.
"""
from functools import lru_cache
from importlib import import_module
from typing import Any

import numpy as np
import torch


@lru_cache(maxsize=None)
def _history_classes() -> list:
    """What the log history is made of, where MMEngine is installed; one list, so that torch knows each part once."""
    try:
        from mmengine.logging.history_buffer import HistoryBuffer
    except ImportError:
        return []
    multiarray = import_module('numpy._core.multiarray' if hasattr(np, '_core') else 'numpy.core.multiarray')

    def method(owner: Any, name: str) -> Any:
        # The history pickles its methods by getattr; nothing else may be reached that way.
        if owner is not HistoryBuffer or name not in ('min', 'max', 'mean', 'current'):
            raise ValueError(f"attribute '{name}' is not part of a log history")
        return getattr(owner, name)

    # NumPy 2 moved them; a file may come from either.
    arrays = [(getattr(multiarray, name), f'numpy.{core}.multiarray.{name}')
              for name in ('_reconstruct', 'scalar') for core in ('core', '_core')]
    return [HistoryBuffer, (method, 'builtins.getattr'), *arrays, np.ndarray, np.dtype,
            *{type(np.dtype(t)) for t in ('f4', 'f8', 'i4', 'i8')}]


def allow_log_history() -> None:
    """Lets ``torch.load(..., weights_only=True)`` read the checkpoints of MMEngine's runner in this process.

    Called when the package is imported beside MMEngine, and again before each load of ours: others' ``safe_globals``
    blocks take away at their end what was allowed before, too.
    """
    torch.serialization.add_safe_globals(_history_classes())
