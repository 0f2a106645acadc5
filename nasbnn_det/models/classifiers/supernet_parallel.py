"""The model wrapper for distributed training of a supernet."""
from typing import Any, Dict, Optional, Sequence, Union

from mmengine.model import MMDistributedDataParallel
from mmengine.optim import OptimWrapper
from torch import Tensor, nn

from ...registry import MODEL_WRAPPERS


@MODEL_WRAPPERS.register_module()
class SupernetDistributedDataParallel(MMDistributedDataParallel):
    """Starts all processes from the same weights, then leaves the step to the model.

    A step of :class:`SupernetClassifier` backpropagates several times, each time through another part of the weights.
    The stock wrapper would synchronise after every pass and miss the parameters a pass does not touch; the model
    synchronises once itself.

    Args:
        module (nn.Module): The model.
        device_ids (Sequence[int], optional): The runner's choice; without meaning, and dropped, on a CPU.
        **kwargs: As for :class:`torch.nn.parallel.DistributedDataParallel`.
    """

    def __init__(self, module: nn.Module, device_ids: Optional[Sequence[int]] = None, **kwargs: Any) -> None:
        on_gpu = next(module.parameters()).is_cuda
        super().__init__(module, device_ids=device_ids if on_gpu else None, **kwargs)

    def train_step(self, data: Union[dict, tuple, list], optim_wrapper: OptimWrapper) -> Dict[str, Tensor]:
        """See :meth:`SupernetClassifier.train_step`."""
        return self.module.train_step(data, optim_wrapper)
