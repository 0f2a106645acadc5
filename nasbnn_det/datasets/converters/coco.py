"""Reads COCO files as web sites and programs export them (Roboflow, CVAT, Label Studio), with what is odd about them."""
import json
import re
from pathlib import Path
from typing import Any, Dict, Iterable, List, Optional, Sequence

from ..coco_schema import check_coco
from .labelled import Box, LabelledImage, LabelledSet, Notes, checked_size, choose_names, folder_of, inside, split_folders
from .writing import is_written_here

_ROBOFLOW = '_annotations.coco.json'
_IMAGE_FOLDERS = ('', 'images', 'images/default', 'data')


def read_coco(source: Path, names: Sequence[str] = ()) -> LabelledSet:
    """Reads COCO files: ``train/_annotations.coco.json`` (Roboflow), ``annotations/instances_*.json`` (COCO, CVAT),
    ``result.json`` (Label Studio), ``train.json``, or one that is named.

    What such exports have too much or too little is put right: a category without objects that others name as their
    ``supercategory`` goes; ``iscrowd`` and ``area`` are filled in; images are looked for in the usual folders.

    Args:
        source (Path): The set's folder, or one file.
        names (Sequence[str]): Names of the classes in the wanted order; empty: the order of the files.

    Returns:
        LabelledSet: All of it.

    Raises:
        FileNotFoundError: If there is no such folder, or an image is missing.
        ValueError: If there is no COCO file, one is none, or an object's class is none of ``names``.
    """
    root = folder_of(source)
    if not root.is_dir():
        raise FileNotFoundError(f"'{source}' is neither a folder nor a COCO file")
    files = {_named(source) or 'train': source} if source.is_file() else _files(root)
    if not files:
        raise ValueError(f"'{root}' has no COCO file: neither SPLIT/{_ROBOFLOW} nor annotations/*.json, result.json or "
                         'train.json; name one')
    contents = {split: _read_content(file) for split, file in files.items()}
    notes = Notes()
    known = _categories(contents.values(), notes)
    splits = {split: _images(content, files[split], root, split, notes) for split, content in contents.items()}
    found = [box.name for images in splits.values() for image in images for box in image.boxes]
    return LabelledSet(choose_names(found, names, f"'{source}'") if names else tuple(known), splits, notes)


def _files(root: Path) -> Dict[str, Path]:
    splits = {split: folder / _ROBOFLOW for split, folder in split_folders(root).items() if (folder / _ROBOFLOW).is_file()}
    if splits:
        return splits
    found = sorted((root / 'annotations').glob('*.json'))
    found = [path for path in found if path.name.startswith('instances')] or found or [
        path for path in sorted(root.glob('*.json')) if _named(path) or path.name in (_ROBOFLOW, 'result.json')]
    for path in [path for path in found if not is_written_here(path)] or found:
        split = _named(path) or 'train'
        if split in splits:
            raise ValueError(f"'{splits[split]}' and '{path}' could both be the split '{split}'; name one of them in place "
                             'of the folder')
        splits[split] = path
    return {split: splits[split] for split in ('train', 'val', 'test') if split in splits}


def _named(path: Path) -> Optional[str]:
    word = re.search(r'train|val|test', path.stem.lower())
    return word and word[0]


def _read_content(path: Path) -> Dict[str, Any]:
    """A file's content, checked. Exports leave out what an object that is no crowd does not need."""
    try:
        content = json.loads(path.read_text(encoding='utf-8-sig'))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"annotation file '{path}' is no whole JSON ({error})") from error
    annotations = content.get('annotations') if isinstance(content, dict) else None
    for annotation in annotations if isinstance(annotations, list) else []:
        if isinstance(annotation, dict):
            annotation.setdefault('iscrowd', 0)
            annotation['area'] = annotation.get('area') or 0  # the check makes it width times height
    return check_coco(content, str(path))


def _categories(contents: Iterable[Dict[str, Any]], notes: Notes) -> List[str]:
    """Names of all files, in the order in which they come; roots of the tree of categories that own nothing go."""
    contents = list(contents)
    used, parents, names = set(), set(), []
    for content in contents:
        by_id = {category['id']: category['name'] for category in content['categories']}
        used |= {by_id[annotation['category_id']] for annotation in content['annotations']}
        parents |= {category.get('supercategory') for category in content['categories']
                    if category.get('supercategory') != category['name']}
        names += [name for name in by_id.values() if name not in names]
    roots = [name for name in names if name in parents and name not in used]
    for name in roots:
        notes.remark(f"category '{name}', a heading without objects, left out")
    return [name for name in names if name not in roots]


def _images(content: Dict[str, Any], file: Path, root: Path, split: str, notes: Notes) -> List[LabelledImage]:
    by_id = {category['id']: category['name'] for category in content['categories']}
    boxes: Dict[int, List[Box]] = {}
    for annotation in content['annotations']:
        x, y, width, height = annotation['bbox']
        boxes.setdefault(annotation['image_id'], []).append(
            Box(by_id[annotation['category_id']], (x, y, x + width, y + height),
                bool(annotation['iscrowd'] or annotation.get('ignore')), annotation.get('segmentation') or None))
    images = []
    for entry in content['images']:
        path = _find_image(entry['file_name'], file, root, split)
        size = checked_size(path, (entry['width'], entry['height']), f"annotation file '{file}'")
        images.append(LabelledImage(path, size, inside(boxes.get(entry['id'], ()), size, notes)))
    return images


def _find_image(name: str, file: Path, root: Path, split: str) -> Path:
    """Where an image of an annotation file is: under its whole name, or else under the last part of it."""
    name = name.replace('\\', '/')
    subset = file.stem.partition('_')[2] or split
    folders = [file.parent / name for name in _IMAGE_FOLDERS] + [
        root / name for name in (*_IMAGE_FOLDERS, split, subset, f'images/{split}', f'images/{subset}')]
    for tail in (name, name.rpartition('/')[2]):
        for folder in folders:
            if (folder / tail).is_file():
                return folder / tail
    raise FileNotFoundError(f"annotation file '{file}' names the image '{name}', which is neither beside it nor in "
                            f"'{root / 'images'}' or '{root / split}'")
