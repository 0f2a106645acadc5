"""Copies the images of a set into one folder by split, for who wants a set that stands by itself."""
import filecmp
import os
import shutil
from pathlib import Path
from typing import Dict

from ...files import replacing
from .labelled import LabelledImage, LabelledSet


def copy_images(labelled: LabelledSet, folder: Path) -> LabelledSet:
    """Copies images to ``FOLDER/SPLIT/``; folders that not all images of a split share are kept below it.

    Args:
        labelled (LabelledSet): The set; it stays as it is.
        folder (Path): Where to.

    Returns:
        LabelledSet: The same set with its new paths.

    Raises:
        ValueError: If another file is in the way. Then nothing is copied.
    """
    places: Dict[Path, Path] = {}
    splits = {}
    for split, images in labelled.splits.items():
        moved = []
        above = os.path.commonpath([image.path.parent for image in images])
        for image in images:
            target = folder / split / os.path.relpath(image.path, above)
            if places.setdefault(target, image.path) != image.path or (
                    target.exists() and not filecmp.cmp(image.path, target, shallow=False)):
                raise ValueError(f"'{target}' is there and is not '{image.path}', so that isn't copied over it; name an "
                                 'empty folder')
            moved.append(LabelledImage(target, image.size, image.boxes))
        splits[split] = moved
    for target, path in places.items():
        if not target.exists():
            with replacing(target) as part:
                shutil.copyfile(path, part)
    return LabelledSet(labelled.names, splits, labelled.notes)
