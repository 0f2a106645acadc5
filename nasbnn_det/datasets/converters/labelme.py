"""Reads a detection set with a LabelMe json file beside each image."""
import json
import math
from pathlib import Path
from typing import Any, List, Sequence, Tuple

from .labelled import (
    Box,
    LabelledImage,
    LabelledSet,
    Notes,
    checked_size,
    choose_names,
    find_images,
    image_size,
    inside,
    split_folders,
)

# What a shape needs to have an extent; the others (point, line, linestrip, points) have none.
_AREAS = ('rectangle', 'polygon', 'circle', 'mask')


def read_labelme(source: Path, names: Sequence[str] = ()) -> LabelledSet:
    """Reads LabelMe's files: ``a.json`` beside ``a.jpg``, by split in ``train/``, ``val/``, ``test/`` or all together.

    Rectangles are taken as they are, polygons, circles and masks as the box around them. An image without a json file has
    no objects.

    Args:
        source (Path): The set's folder.
        names (Sequence[str]): Names of the classes in the wanted order; empty: sorted.

    Returns:
        LabelledSet: All of it.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If there are no json files, one is broken, or an object's class is none of ``names``.
    """
    if not source.is_dir():
        raise FileNotFoundError(f"'{source}' is no folder; give the one with the images and LabelMe's json files")
    notes = Notes()
    folders = split_folders(source) or dict(train=source)
    splits = {split: [_read(path, notes) for path in find_images(folder)] for split, folder in folders.items()}
    splits = {split: images for split, images in splits.items() if images}
    files = {path.with_suffix('.json') for folder in folders.values() for path in find_images(folder)}
    if not any(path.is_file() for path in files):
        raise ValueError(f"no image of '{source}' has a json file of LabelMe beside it")
    notes.count('json files without an image left out', sum(
        path not in files and _is_labelme(path) for folder in folders.values() for path in folder.rglob('*.json')))
    found = [box.name for images in splits.values() for image in images for box in image.boxes]
    return LabelledSet(choose_names(found, names, f"'{source}'"), splits, notes)


def _is_labelme(path: Path) -> bool:
    try:
        content = json.loads(path.read_text(encoding='utf-8-sig'))
    except ValueError:
        return False
    return isinstance(content, dict) and 'shapes' in content


def _read(image: Path, notes: Notes) -> LabelledImage:
    file = image.with_suffix('.json')
    if not file.is_file():
        notes.count('images without a json file taken as images without objects')
        return LabelledImage(image, image_size(image), [])
    where = f"annotation file '{file}'"
    try:
        content = json.loads(file.read_text(encoding='utf-8-sig'))
    except ValueError as error:
        raise ValueError(f'{where} is no whole JSON ({error})') from error
    if not isinstance(content, dict) or not isinstance(content.get('shapes'), list):
        raise ValueError(f"{where} is none of LabelMe's: it must have a list 'shapes'")
    size = checked_size(image, (content.get('imageWidth'), content.get('imageHeight')), where)
    boxes = [box for number, shape in enumerate(content['shapes'])
             for box in _read_shape(shape, f'{where}, shapes[{number}]', notes)]
    return LabelledImage(image, size, inside(boxes, size, notes))


def _read_shape(shape: Any, where: str, notes: Notes) -> List[Box]:
    try:
        name, kind = str(shape['label']).strip(), shape.get('shape_type') or 'polygon'
        points: List[Tuple[float, float]] = [(float(x), float(y)) for x, y in shape['points']]
    except (AttributeError, KeyError, TypeError, ValueError):
        raise ValueError(f"{where} must have a 'label' and 'points' of two numbers each") from None
    if not name or not all(math.isfinite(value) for point in points for value in point):
        raise ValueError(f"{where} must have a 'label' and 'points' of two numbers each")
    if kind not in _AREAS:
        notes.count(f"shapes of the kind '{kind}', which have no extent, left out")
        return []
    if len(points) < (3 if kind == 'polygon' else 2):
        raise ValueError(f"{where} is a {kind} of {len(points)} points, which has no extent")
    if kind == 'circle':  # its centre, and a point on it
        (x, y), end = points[:2]
        radius = math.hypot(end[0] - x, end[1] - y)
        points = [(x - radius, y - radius), (x + radius, y + radius)]
    if kind != 'rectangle':
        notes.count('polygons, circles and masks became the boxes around them')
    xs, ys = zip(*points)
    return [Box(name, (min(xs), min(ys), max(xs), max(ys)))]
