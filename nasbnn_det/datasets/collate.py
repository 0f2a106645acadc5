"""How a loader's process makes a batch of samples."""
from typing import Any, Dict, Sequence

from mmengine.dataset import default_collate

from ..registry import FUNCTIONS


@FUNCTIONS.register_module()
def stack_images(samples: Sequence[Dict[str, Any]]) -> Dict[str, Any]:
    """Stacks the images of a batch, as MMEngine's ``default_collate``: a training receives one tensor, not one an image.

    Args:
        samples (Sequence[dict]): Each with ``inputs``, an image of shape (C, H, W).

    Returns:
        dict: ``inputs`` of shape (N, C, H, W), and lists of all else.

    Raises:
        ValueError: If the images have different sizes.
    """
    sizes = sorted({tuple(sample['inputs'].shape[-2:]) for sample in samples})
    if len(sizes) > 1:
        shown = ' and '.join(f'{width} x {height}' for height, width in sizes[:2])
        raise ValueError(f'the images of a batch are {shown} pixels large; the pipeline must bring all to one size, for '
                         "example by dict(type='Resize', scale=(64, 64)), or the loader must not stack them: "
                         "collate_fn=dict(type='pseudo_collate')")
    return default_collate(samples)
