"""Batch norm over the first channels of the widest, with statistics of one process or of all."""
import torch
import torch.distributed as dist
import torch.distributed.nn.functional
import torch.nn.functional as F
from torch import Tensor, nn


class SlicedBatchNorm2d(nn.BatchNorm2d):
    """Batch norm whose parameters and statistics are the first C entries of the widest.

    Attributes:
        sync (bool): Whether training takes the statistics over the images of all processes. False at first.
    """

    sync = False

    def forward(self, x: Tensor) -> Tensor:
        c = x.shape[1]
        if self.training:
            self.num_batches_tracked.add_(1)
            if self.sync and dist.is_available() and dist.is_initialized():
                return self._forward_synchronised(x)
        return F.batch_norm(x, self.running_mean[:c], self.running_var[:c], self.weight[:c], self.bias[:c],
                            self.training, self.momentum, self.eps)

    def _forward_synchronised(self, x: Tensor) -> Tensor:
        """Written out, because PyTorch's SyncBatchNorm knows neither slices nor CPUs."""
        # Sums over a large map leave half precision.
        c, dtype, x = x.shape[1], x.dtype, x.float()
        count = x.new_full((1, ), x.numel() / c)
        sums = torch.cat([x.sum((0, 2, 3)), count])
        sums = dist.nn.functional.all_reduce(sums)
        mean, count = sums[:c] / sums[c], sums[c].detach()
        centred = x - mean.view(-1, 1, 1)
        # The squares around the common mean in a second reduction: exact where a mean is far from zero.
        variance = dist.nn.functional.all_reduce(centred.square().sum((0, 2, 3))) / count
        with torch.no_grad():
            self.running_mean[:c].lerp_(mean, self.momentum)
            self.running_var[:c].lerp_(variance * count / (count - 1), self.momentum)
        scale = self.weight[:c] * (variance + self.eps).rsqrt()
        return (centred * scale.view(-1, 1, 1) + self.bias[:c].view(-1, 1, 1)).to(dtype)


def sync_batch_norms(module: nn.Module, sync: bool) -> None:
    """Switches between statistics of each process and of all."""
    for norm in module.modules():
        if isinstance(norm, SlicedBatchNorm2d):
            norm.sync = sync
