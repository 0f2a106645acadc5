"""Scenes as COCO annotations."""
from typing import Dict, List, Sequence

import numpy as np

from .scene import CLASSES, SceneObject

LICENSE = dict(
    id=1,
    name='Apache License 2.0',
    url='https://www.apache.org/licenses/LICENSE-2.0')


def encode_mask(mask: np.ndarray) -> Dict[str, list]:
    """Exact run-length encoding of a mask, in COCO's uncompressed form.

    Args:
        mask (np.ndarray): (H, W) bool.

    Returns:
        Dict[str, list]: ``size`` [H, W] and ``counts``, the lengths of runs
        of zeros and ones by turns, column by column, zeros first.
    """
    pixels = mask.ravel(order='F')
    changes = np.flatnonzero(pixels[1:] != pixels[:-1]) + 1
    counts = np.diff(np.concatenate([[0], changes, [len(pixels)]])).tolist()
    return dict(size=list(mask.shape), counts=[0] * bool(pixels[0]) + counts)


class CocoBuilder:
    """Collects images and annotations; every id starts at 1.

    Args:
        description (str): Goes into the ``info`` entry.
    """

    def __init__(self, description: str) -> None:
        self._info = dict(description=description, version='1.0', url='')
        self._images: List[dict] = []
        self._annotations: List[dict] = []

    def add(self, file_name: str, size: int,
            objects: Sequence[SceneObject]) -> None:
        """Add a square image and its objects.

        Args:
            file_name (str): Relative to the image folder.
            size (int): Height and width in pixels.
            objects (Sequence[SceneObject]): What is visible in it.
        """
        image_id = len(self._images) + 1
        self._images.append(
            dict(
                id=image_id,
                file_name=file_name,
                width=size,
                height=size,
                license=LICENSE['id']))
        for item in objects:
            self._annotations.append(
                dict(
                    id=len(self._annotations) + 1,
                    image_id=image_id,
                    category_id=CLASSES.index(item.name) + 1,
                    bbox=[float(value) for value in item.box],
                    area=item.area,
                    iscrowd=0,
                    segmentation=encode_mask(item.mask)))

    def result(self) -> dict:
        """The annotation file's content."""
        categories = [
            dict(id=number, name=name, supercategory='shape')
            for number, name in enumerate(CLASSES, start=1)
        ]
        return dict(
            info=self._info,
            licenses=[LICENSE],
            images=self._images,
            annotations=self._annotations,
            categories=categories)
