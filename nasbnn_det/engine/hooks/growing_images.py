"""Small images first: a step costs as many pixels as an image has, and early steps need few of them."""
from typing import Any, Optional, Sequence, Tuple, Union

import torch.nn.functional as F
from mmengine.hooks import Hook
from torch import Tensor

from ...registry import HOOKS


@HOOKS.register_module()
class GrowingImagesHook(Hook):
    """Shrinks a classifier's training images in the first parts of a training ("progressive resizing").

    Images come from the pipeline at full size and are shrunk in the batch, with antialiasing, before the data preprocessor
    sees them. What is shown depends on the iteration alone: a resumed training goes on where it was. Validation, and
    a training's last part, see full images. Not for detectors, whose boxes would have to shrink too; MMDetection's
    ``BatchSyncRandomResize`` changes their sizes.

    Args:
        stages (Sequence[tuple[float, int]]): Pairs of the share of all iterations that a stage ends at and the size of
            its images in pixels, a square; ascending in both. After the last stage images are as the pipeline gives them.
            ((0.4, 32), (0.7, 48)) shows 32 px for 40 % of the training, then 48 px up to 70 %, then all.

    Raises:
        ValueError: If shares or sizes do not ascend, or lie outside of (0, 1] and of at least 8 pixels.
    """

    def __init__(self, stages: Sequence[Tuple[float, int]]) -> None:
        ends, sizes = [end for end, _ in stages], [size for _, size in stages]
        rising = all(a < b for values in (ends, sizes) for a, b in zip(values, values[1:]))
        if not stages or not rising or not (0 < ends[0] and ends[-1] <= 1) or sizes[0] < 8:
            raise ValueError(f'stages is {stages}; allowed are pairs (share of the iterations, size in pixels), shares '
                             'rising in (0, 1], sizes rising from 8 pixels on')
        self.stages = [(float(end), int(size)) for end, size in stages]

    def size_at(self, iteration: int, iterations: int) -> Optional[int]:
        """Size of the images in pixels, None for the full one."""
        return next((size for end, size in self.stages if iteration < end * iterations), None)

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Optional[dict] = None) -> None:
        """Shrinks the images of this step, in the batch itself."""
        size = self.size_at(runner.iter, runner.max_iters)
        if size is not None and data_batch is not None:
            data_batch['inputs'] = _shrink(data_batch['inputs'], size)


def _shrink(images: Union[Tensor, Sequence[Tensor]], size: int) -> Union[Tensor, list]:
    """Images of shape (N, C, H, W), or a list of (C, H, W), of any type; smaller ones stay as they are."""
    if not isinstance(images, Tensor):
        return [_shrink(image[None], size)[0] for image in images]
    if max(images.shape[-2:]) <= size:
        return images
    small = F.interpolate(images.float(), (size, size), mode='bilinear', antialias=True)
    return small if images.is_floating_point() else small.round_().clamp_(0, 255).to(images.dtype)
