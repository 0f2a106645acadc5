"""NAS-BNN's public release: its files become ours."""
import os
from typing import Any, Dict, Optional, Sequence, Union

from ..arch import SearchSpace
from ..official_release import load_released_supernet
from ..supernet import Supernet


def import_release(checkpoint: Union[str, os.PathLike],
                   space: Union[str, SearchSpace, Dict[str, Any], Sequence] = 'imagenet',
                   num_classes: Optional[int] = None) -> Supernet:
    """Reads a supernet that NAS-BNN's public release trained.

    ``supernet(images, arch, real_weights=False)`` then gives logits, and ``Arch.from_release(candidate, space)``
    reads an architecture in the release's form. ``tools/model_converters/import_release.py`` writes our files.

    Args:
        checkpoint: The release's ``checkpoint.pth.tar``; read by safe loading only.
        space: A named space, or its table with rows of (channels, depths, kernels, groups1, groups2, stride).
            Defaults to 'imagenet'.
        num_classes (int, optional): Classes the checkpoint must have. Defaults to those it has.

    Returns:
        Supernet: In evaluation mode; extract and recalibrate a subnet before using its batch norm statistics.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If keys are missing, left over or of another shape.
    """
    return load_released_supernet(checkpoint, space, num_classes).supernet
