"""Mixed precision on a CPU."""
from contextlib import contextmanager
from typing import Iterator

import torch
from mmengine.optim import OptimWrapper
from torch import nn

from ...registry import OPTIM_WRAPPERS


@OPTIM_WRAPPERS.register_module()
class CPUAmpOptimWrapper(OptimWrapper):
    """Trains in bfloat16 where PyTorch thinks it safe; MMEngine's ``AmpOptimWrapper`` asks for a GPU.

    bfloat16 has the range of float32, so losses need no scale. The arguments are those of MMEngine's ``OptimWrapper``.
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """As in ``OptimWrapper``, and autocast."""
        with super().optim_context(model), torch.autocast('cpu', torch.bfloat16):
            yield
