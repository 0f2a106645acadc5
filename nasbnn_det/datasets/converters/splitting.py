"""Takes a validation split from the training images, so that each class is in both where it can be."""
import re
from collections import Counter
from typing import Counter as CounterType
from typing import Dict, List, NamedTuple, Set

import numpy as np

from .labelled import LabelledImage, LabelledSet

_NOTHING = ''  # images without objects, as if that were a class


class _Group(NamedTuple):
    """Images that stay together, and the classes in them."""
    images: List[LabelledImage]
    classes: Set[str]


def split_validation(labelled: LabelledSet, fraction: float, seed: int = 0) -> LabelledSet:
    """Moves a part of the training images to the validation split.

    Whole images are moved, the rarest class first; images without objects are shared out as a class is. Copies of one image
    that Roboflow made (``NAME.rf.HASH.jpg``) stay on one side. Of a class with two images or more both sides get one, where
    the other classes leave a way.

    Args:
        labelled (LabelledSet): A set with training images and without a validation split; it stays as it is.
        fraction (float): Part of the images to move, above 0 and below 1.
        seed (int): Same seed, same split. Defaults to 0.

    Returns:
        LabelledSet: The same images in other splits.

    Raises:
        ValueError: If there is a validation split, no training one, or too few images.
    """
    if not 0 < fraction < 1:
        raise ValueError(f'the part of validation images is {fraction}; it must be above 0 and below 1')
    if 'val' in labelled.splits:
        raise ValueError('the set has a validation split already; leave the splitting out')
    groups = _groups(labelled.splits.get('train', []))
    if len(groups) < 2:
        raise ValueError(f'{len(groups)} training images can not be split: two different ones are needed')
    to_val = _choose(groups, fraction, np.random.default_rng(seed))
    train = [image for number, group in enumerate(groups) if number not in to_val for image in group.images]
    val = [image for number, group in enumerate(groups) if number in to_val for image in group.images]
    rest = {split: images for split, images in labelled.splits.items() if split != 'train'}
    return LabelledSet(labelled.names, dict(train=train, val=val, **rest), labelled.notes)


def _groups(images: List[LabelledImage]) -> List[_Group]:
    found: Dict[str, List[LabelledImage]] = {}
    for image in sorted(images, key=lambda image: image.path.as_posix()):
        name = re.sub(r'\.rf\.[0-9A-Za-z]+$', '', image.path.with_suffix('').as_posix())
        found.setdefault(name, []).append(image)
    return [_Group(group, {box.name for image in group for box in image.boxes} or {_NOTHING}) for group in found.values()]


def _choose(groups: List[_Group], fraction: float, rng: np.random.Generator) -> Set[int]:
    """Numbers of the groups for validation: iterative stratification, then what it missed is mended."""
    count = Counter(name for group in groups for name in group.classes)
    # How many groups of each class validation shall get: at least one of two, and never all.
    wanted = {name: min(max(round(fraction * n), 1), n - 1) for name, n in count.items()}
    left = set(range(len(groups)))
    to_val: Set[int] = set()
    need_val, need_all = Counter(wanted), max(1, round(fraction * len(groups)))
    while left:
        remaining = Counter(name for number in left for name in groups[number].classes)
        name = min(remaining, key=lambda name: (remaining[name], name))
        members = rng.permutation(sorted(number for number in left if name in groups[number].classes)).tolist()
        # Those whose other classes need validation images too go first, those that would overfill them last.
        members.sort(key=lambda number: sum(need_val[other] <= 0 for other in groups[number].classes))
        for number in members:
            left.discard(number)
            if need_val[name] > 0 and (len(to_val) < need_all or not _has(name, to_val, groups)):
                to_val.add(number)
                need_val.subtract(groups[number].classes)
    to_val = _mended(to_val, groups, count)
    if not to_val:  # each class is in one group only: the one that costs training the fewest classes
        to_val = {min(rng.permutation(len(groups)).tolist(), key=lambda number: len(groups[number].classes - {_NOTHING}))}
    return to_val


def _mended(to_val: Set[int], groups: List[_Group], count: CounterType[str]) -> Set[int]:
    """Moves single groups for classes that one side lacks, if no other class is lost there by it."""
    for name in sorted(count, key=lambda name: (count[name], name)):
        members = [number for number, group in enumerate(groups) if name in group.classes]
        inner = [number for number in members if number in to_val]
        if len(members) < 2 or 0 < len(inner) < len(members):
            continue
        for number in members:
            moved = to_val ^ {number}
            side = {other for other in range(len(groups)) if (other in moved) == (number in to_val)}
            if all(count[other] < 2 or _has(other, side, groups) for other in groups[number].classes):
                to_val = moved
                break
    return to_val


def _has(name: str, numbers: Set[int], groups: List[_Group]) -> bool:
    return any(name in groups[number].classes for number in numbers)
