"""Writes a labelled set as COCO files, one per split, and never over a file that it did not write itself."""
import hashlib
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any, Dict, List, Tuple

from ...files import replace_text
from ..coco_schema import check_coco
from .labelled import LabelledSet

_MAKER = 'nasbnn_det to_coco'
_DIGITS = 3  # of a pixel


def write_coco(labelled: LabelledSet, data_root: Path, folder: Path) -> Dict[str, Path]:
    """Writes ``instances_SPLIT.json`` for each split. All are checked before the first is put in its place.

    Args:
        labelled (LabelledSet): The set.
        data_root (Path): Images are named relative to it.
        folder (Path): Where the files go.

    Returns:
        dict[str, Path]: The files, by split.

    Raises:
        ValueError: If an image is not below ``data_root``, a file is in the way that is not ours, names repeat, or there is
            no object to train on.
    """
    if len(set(labelled.names)) < len(labelled.names):
        twice = next(name for name, number in Counter(labelled.names).items() if number > 1)
        raise ValueError(f"the class '{twice}' is named twice; names must differ")
    if not any(image.boxes for images in labelled.splits.values() for image in images):
        raise ValueError('the set has no object at all: there is nothing to train on')
    paths = {split: folder / f'instances_{split}.json' for split in labelled.splits}
    for path in paths.values():
        if path.exists() and not is_written_here(path):
            raise ValueError(f"'{path}' is there, and it isn't as this tool wrote it, so it is not replaced; move it, or "
                             'name another folder by --out')
    texts = {}
    for split, content in _contents(labelled, data_root).items():
        texts[paths[split]] = json.dumps(content)
        check_coco(content, str(paths[split]))
    for path, text in texts.items():
        replace_text(path, text)
    return paths


def _contents(labelled: LabelledSet, data_root: Path) -> Dict[str, Dict[str, Any]]:
    """The files' contents by split; ids run on from one to the next, so that no two images have the same."""
    ids = {name: number for number, name in enumerate(labelled.names, 1)}
    categories = [dict(id=number, name=name, supercategory='') for name, number in ids.items()]
    image_id = annotation_id = 0
    contents = {}
    for split, found in labelled.splits.items():
        images: List[Dict[str, Any]] = []
        annotations: List[Dict[str, Any]] = []
        for image in found:
            image_id += 1
            images.append(dict(id=image_id, file_name=_relative(image.path, data_root), width=image.size[0],
                               height=image.size[1]))
            for box in image.boxes:
                annotation_id += 1
                bbox, area = _bbox(box.corners)
                entry = dict(id=annotation_id, image_id=image_id, category_id=ids[box.name], bbox=bbox, area=area,
                             iscrowd=int(box.crowd))
                annotations.append(entry if box.segmentation is None else dict(entry, segmentation=box.segmentation))
        body = dict(images=images, annotations=annotations, categories=categories)
        contents[split] = dict(info=dict(description=_MAKER, sha256=_digest(body)), **body)
    return contents


def _bbox(corners: Tuple[float, float, float, float]) -> Tuple[List[float], float]:
    left, top, right, bottom = (round(value, _DIGITS) for value in corners)
    width, height = round(right - left, _DIGITS), round(bottom - top, _DIGITS)
    return [left, top, width, height], round(width * height, _DIGITS)


def _relative(path: Path, data_root: Path) -> str:
    # No links are followed: a folder of links to images is a folder of images.
    relative = os.path.relpath(os.path.abspath(path), os.path.abspath(data_root))
    if relative.split(os.sep, 1)[0] == os.pardir:
        raise ValueError(f"image '{path}' is not below the folder '{data_root}'; name one that holds all images by "
                         '--data-root, or copy them by --copy-to')
    return Path(relative).as_posix()


def _digest(body: Dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def is_written_here(path: Path) -> bool:
    """Whether a file is one that :func:`write_coco` wrote, unchanged."""
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
        info = content.pop('info')
        return info['description'] == _MAKER and info['sha256'] == _digest(content)
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return False
