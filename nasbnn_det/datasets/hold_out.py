"""Splits a folder of images by class into what is trained on and what a search is scored on."""
from pathlib import Path
from typing import List, Tuple

import numpy as np

_IMAGES = {'.jpg', '.jpeg', '.png', '.bmp', '.pgm', '.ppm', '.tif', '.webp'}


def hold_out(root: Path, per_class: int, rng: np.random.Generator) -> Tuple[List[str], List[str]]:
    """Draws the same number of images from each class.

    Args:
        root (Path): Folder with a folder of images per class; labels follow the sorted names, as MMPretrain's do.
        per_class (int): Images to hold out of each class.
        rng (np.random.Generator): Source of randomness.

    Returns:
        tuple[list[str], list[str]]: Lines ``"<class>/<image> <label>"``: the rest, and what is held out.

    Raises:
        FileNotFoundError: If the folder does not exist.
        ValueError: If it has no classes, or a class has no more than ``per_class`` images.
    """
    if not root.is_dir():
        raise FileNotFoundError(f"'{root}' is no folder; give one with a folder of images per class")
    classes = sorted(p for p in root.iterdir() if p.is_dir())
    if not classes or per_class < 1:
        raise ValueError(f"'{root}' has {len(classes)} folders and {per_class} images are to be held out of each; at "
                         'least one of both is needed')
    kept: List[str] = []
    held: List[str] = []
    for label, folder in enumerate(classes):
        names = sorted(p.relative_to(root).as_posix() for p in folder.rglob('*') if p.suffix.lower() in _IMAGES)
        if len(names) <= per_class:
            raise ValueError(f"'{folder}' has {len(names)} images; more than {per_class} are needed")
        chosen = set(rng.choice(len(names), per_class, replace=False).tolist())
        for i, name in enumerate(names):
            (held if i in chosen else kept).append(f'{name} {label}')
    return kept, held
