"""Model wrappers for distributed runs that machines without a GPU can try, too."""
from typing import Any, Dict, Optional, Sequence, Union

from mmengine.model import MMDistributedDataParallel, revert_sync_batchnorm
from mmengine.optim import OptimWrapper
from torch import Tensor, nn

from ..registry import MODEL_WRAPPERS
from ..supernet.norm import SlicedBatchNorm2d


@MODEL_WRAPPERS.register_module()
class DistributedDataParallel(MMDistributedDataParallel):
    """MMEngine's wrapper, also for models on a CPU, where the device that its runner names has no meaning.

    ``tools/train.py`` and ``tools/test.py`` take it by themselves where there is no GPU. PyTorch's synchronised batch norm,
    which MMDetection's RTMDet takes for itself in a distributed run, knows GPUs only: on a CPU it becomes the ordinary one,
    with each process's own statistics.

    Args:
        module (nn.Module): The model.
        device_ids (Sequence[int], optional): The runner's choice; dropped for a model on a CPU.
        **kwargs: As for :class:`torch.nn.parallel.DistributedDataParallel`.
    """

    def __init__(self, module: nn.Module, device_ids: Optional[Sequence[int]] = None, **kwargs: Any) -> None:
        on_gpu = next(module.parameters()).is_cuda
        super().__init__(module if on_gpu else revert_sync_batchnorm(module), device_ids=device_ids if on_gpu else None,
                         **kwargs)


@MODEL_WRAPPERS.register_module()
class SupernetDistributedDataParallel(DistributedDataParallel):
    """Starts all processes from the same weights, then leaves the step to the model.

    A step of :class:`SupernetClassifier` backpropagates several times, each time through another part of the weights.
    The stock wrapper would synchronise after every pass and miss the parameters a pass does not touch; the model
    synchronises once itself.

    Args:
        module (nn.Module): The model.
        **kwargs: As for :class:`DistributedDataParallel`.

    Raises:
        ValueError: If the runner has replaced the batch norms.
    """

    def __init__(self, module: nn.Module, **kwargs: Any) -> None:
        if not any(isinstance(part, SlicedBatchNorm2d) for part in module.modules()):
            raise ValueError("the runner's sync_bn puts layers in place of a supernet's that know no slices; set "
                             'model.sync_bn=True and leave sync_bn out')
        super().__init__(module, **kwargs)

    def train_step(self, data: Union[dict, tuple, list], optim_wrapper: OptimWrapper) -> Dict[str, Tensor]:
        """See :meth:`SupernetClassifier.train_step`."""
        return self.module.train_step(data, optim_wrapper)
