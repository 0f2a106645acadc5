"""The brick's shortcut: no weights, no full-precision 1 x 1 convolution."""
import torch.nn.functional as F
from torch import Tensor


def shortcut(x: Tensor, out_channels: int, stride: int = 1) -> Tensor:
    """Brings a brick's input to the shape of its output.

    Where the stride is above 1, average pooling over the pixels that exist, so that odd sizes are rounded
    up as a padded convolution rounds them. Where the width grows, the channels are concatenated with
    themselves and cut (arXiv 2408.15484, Sec. 3). Where it shrinks, the input is continued with itself to
    a multiple of ``out_channels`` and folded by averaging: two concatenated maps become their mean.

    Args:
        x (Tensor): Shape (N, C, H, W).
        out_channels (int): C'.
        stride (int): s. Defaults to 1.

    Returns:
        Tensor: Shape (N, C', ceil(H / s), ceil(W / s)).
    """
    if stride > 1:
        x = F.avg_pool2d(x, stride, ceil_mode=True, count_include_pad=False)
    # A plain number also while the network is traced: what follows is decided now, not by the traced graph.
    channels = int(x.shape[1])
    if channels == out_channels:
        return x
    folds = -(-channels // out_channels)
    wanted = folds * out_channels
    if wanted != channels:
        x = x.repeat(1, -(-wanted // channels), 1, 1)[:, :wanted]
    if folds > 1:
        x = x.unflatten(1, (folds, out_channels)).mean(1)
    return x
