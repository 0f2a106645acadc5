"""RSign and RPReLU: sign and PReLU with learned per-channel shifts (ReActNet, arXiv 2003.03488, Sec. 4.2).

RPReLU exists as a function too, also called by the weight-sharing supernet with sliced parameters.
"""
from typing import Optional, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .binarization import Binarization
from .set_once import SetOnce


def rprelu(x: Tensor, bias_in: Tensor, slope: Tensor, bias_out: Tensor) -> Tensor:
    """PReLU between two learned shifts: ``prelu(x + bias_in) + bias_out``.

    Args:
        x (Tensor): Shape (N, C, H, W).
        bias_in (Tensor): Shape (C, ), or (1, ) for all channels.
        slope (Tensor): Slope where the shifted input is negative, shape (C, ) or (1, ).
        bias_out (Tensor): Shape (C, ) or (1, ).

    Returns:
        Tensor: Shape (N, C, H, W).

    Raises:
        ValueError: If ``x`` does not have four dimensions.
    """
    if x.dim() != 4:
        raise ValueError(f'RPReLU takes maps of shape (N, C, H, W), not {tuple(x.shape)}')
    # Where all channels share one slope, the gradient of the expansion sums over them.
    return _PReLU.apply(x + bias_in.view(-1, 1, 1), slope.expand(x.shape[1])) + bias_out.view(-1, 1, 1)


class _PReLU(torch.autograd.Function):
    """``F.prelu`` with a backward pass that is several times faster on CPUs than PyTorch's own."""

    @staticmethod
    def forward(ctx, x: Tensor, slope: Tensor) -> Tensor:
        ctx.save_for_backward(x, slope)
        return F.prelu(x, slope)

    @staticmethod
    def backward(ctx, grad: Tensor) -> Tuple[Tensor, Tensor]:
        x, slope = ctx.saved_tensors
        positive = torch.ops.aten.threshold_backward(grad, x, 0)
        negative = grad - positive
        return positive.addcmul_(negative, slope.view(-1, 1, 1)), negative.mul_(x).sum((0, 2, 3))


class RSign(nn.Module):
    """Learned per-channel shift, then the sign by a rule.

    Args:
        channels (int): C of the input of shape (N, C, H, W).
        binarization (Binarization): Gives the rule and the kind of shift.

    Attributes:
        bias (nn.Parameter): The shift, shape (C, ).
        progress (float, optional): How far the training has come, 0 to 1; set by
            :class:`nasbnn_det.engine.hooks.BinarizationProgressHook` where a rule wants to know it.
    """

    def __init__(self, channels: int, binarization: Binarization) -> None:
        super().__init__()
        self.rule = binarization.activations
        self.progress: Optional[float] = None
        self.bias = nn.Parameter(torch.zeros(channels), requires_grad=binarization.shift != 'none')
        self.learned = nn.ParameterDict({name: nn.Parameter(value) for name, value in self.rule.parameters().items()})

    def forward(self, x: Tensor) -> Tensor:
        return self.rule(x + self.shift(x), self.known_progress(), **self.learned)

    def known_progress(self) -> Optional[float]:
        """What the rule is told of the training's progress."""
        return self.progress if self.training else 1.0

    def shift(self, x: Tensor) -> Tensor:
        """What is added to ``x``, shape (C, 1, 1)."""
        return self.bias.view(-1, 1, 1)

    def extra_repr(self) -> str:
        return f'{self.bias.numel()}, {self.rule.type}'


class CenteredRSign(SetOnce, RSign):
    """RSign whose shift is set at the first training forward: to minus the mean of each channel of the input.

    For inputs that are not centred, above all the output of a ReLU, whose sign is +1 everywhere. In a distributed run
    the mean is that of all processes. Until it is set, the shift is zero. A layer that several levels share takes the mean
    of the first one that runs.

    Args:
        channels (int): C of the input of shape (N, C, H, W).
        binarization (Binarization): Gives the rule.
    """

    def shift(self, x: Tensor) -> Tensor:
        if self.training and not self.is_set():
            self._set_bias(x)
        return super().shift(x)

    @torch.no_grad()
    def _set_bias(self, x: Tensor) -> None:
        """Sets the shift, unless no process has anything to take a mean of, as a head without proposals."""
        count = x.new_full((1, ), x.numel() / x.shape[1], dtype=torch.float64)
        sums = torch.cat([x.sum((0, 2, 3), dtype=torch.float64), count])
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.all_reduce(sums)
        if sums[-1] > 0:
            self.bias.copy_(-sums[:-1] / sums[-1])
            self.mark_set()


class RPReLU(nn.Module):
    """Learned per-channel shift, PReLU, shift.

    Args:
        channels (int): C of the input of shape (N, C, H, W); 1 shares the three values among all channels.
    """

    #: The parameter that packing adds to the shift of a batch norm before it; read by reports.
    folded = 'bias_in'

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bias_in = nn.Parameter(torch.zeros(channels))
        self.slope = nn.Parameter(torch.full((channels, ), 0.25))
        self.bias_out = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        return rprelu(x, self.bias_in, self.slope, self.bias_out)

    def extra_repr(self) -> str:
        return str(self.slope.numel())
