"""Reads a detection set with YOLO's text files: a line per object, ``class cx cy width height``, as parts of the image."""
import math
import os
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from .labelled import (
    Box,
    LabelledImage,
    LabelledSet,
    Notes,
    find_images,
    folder_of,
    image_size,
    inside,
    is_image,
    split_folders,
)

_NAME_FILES = ('classes.txt', 'obj.names', '_darknet.labels', 'labels/classes.txt', 'train/_darknet.labels')
# More than this many widths of the image: those are pixels.
_FAR = 2.0
_FORM = 'a box is the class and 4 numbers (centre x, centre y, width, height), a polygon the class and 3 points or more'


class _Line(NamedTuple):
    """How label lines are to be read: the classes, whether key points follow the box, and where notes go."""
    names: Sequence[str]
    has_keypoints: bool
    notes: Notes


def read_yolo(source: Path, names: Sequence[str] = ()) -> LabelledSet:
    """Reads a set of YOLO's text files.

    Images are where ``data.yaml`` says, or in ``images/SPLIT``, ``SPLIT/images``, ``SPLIT``, ``images`` or the folder
    itself. The labels of ``.../images/.../a.jpg`` are in ``.../labels/.../a.txt`` or beside it. An image without a label
    file has no objects. Lines of more numbers are polygons, or turned boxes: they become the upright box around them.

    Args:
        source (Path): The set's folder, or its ``data.yaml``.
        names (Sequence[str]): Names of the classes 0, 1, ...; empty: those of ``data.yaml``, ``classes.txt`` or the like.

    Returns:
        LabelledSet: All of it.

    Raises:
        FileNotFoundError: If there is no such folder, or an image is missing that a list names.
        ValueError: If there are no names, no images or no labels, or a label line is wrong.
    """
    source = Path(os.path.normpath(source))
    yaml_file = source if source.is_file() else _find_yaml(source)
    root = folder_of(source)
    data = {} if yaml_file is None else _read_yaml(yaml_file)
    notes = Notes()
    names = tuple(names) or _names(data, yaml_file, root)
    line = _Line(names, 'kpt_shape' in data, notes)
    images = _splits_of_yaml(data, yaml_file, notes) if 'train' in data and yaml_file is not None else _splits_of(root)
    if not any(images.values()):
        raise ValueError(f"'{root}' has no images in images/, train/images/ or images/train/; name the folder of the set or "
                         'its data.yaml')
    splits = {split: [_read_image(path, root, line) for path in paths] for split, paths in images.items() if paths}
    labels = {_label_file(path, root) for paths in images.values() for path in paths}
    if labels == {None}:
        raise ValueError(f"no image of '{root}' has a label file: that of images/a.jpg must be labels/a.txt, or beside it")
    folders = {label.parent for label in labels if label is not None}
    orphans = sum(_looks_like_label(path) for folder in folders for path in folder.glob('*.txt') if path not in labels)
    notes.count('label files without an image left out', orphans)
    return LabelledSet(names, splits, notes)


def _find_yaml(root: Path) -> Optional[Path]:
    if not root.is_dir():
        raise FileNotFoundError(f"'{root}' is no folder; give that of the set, or its data.yaml")
    files = [path for path in sorted([*root.glob('*.yaml'), *root.glob('*.yml')]) if 'names' in _read_yaml(path)]
    if len(files) > 1:
        raise ValueError(f"'{root}' has several files with names of classes ({', '.join(path.name for path in files)}); "
                         'give one of them in place of the folder')
    return files[0] if files else None


def _read_yaml(path: Path) -> Dict[str, Any]:
    import yaml
    try:
        content = yaml.safe_load(path.read_text(encoding='utf-8-sig'))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"'{path}' is no YAML in UTF-8 ({error})") from error
    return content if isinstance(content, dict) else {}


def _names(data: Dict[str, Any], yaml_file: Optional[Path], root: Path) -> Tuple[str, ...]:
    if 'names' in data:
        return _names_of_yaml(data, str(yaml_file))
    for name in _NAME_FILES:
        if (root / name).is_file():
            return _names_of_text(root / name)
    raise ValueError(f"'{root}' has no names of classes: neither a data.yaml with 'names' nor a classes.txt; name them by "
                     '--classes, in the order of their numbers')


def _names_of_yaml(data: Dict[str, Any], where: str) -> Tuple[str, ...]:
    names = data['names']
    if isinstance(names, dict):
        if sorted(names) != list(range(len(names))):
            raise ValueError(f"'{where}' numbers its names {sorted(names, key=str)}; they must be 0, 1, 2, ...")
        names = [names[number] for number in range(len(names))]
    if not isinstance(names, list) or not names:
        raise ValueError(f"'names' in '{where}' must be a list of names or 0: NAME, 1: NAME, ..., not {names!r}")
    if data.get('nc', len(names)) != len(names):
        raise ValueError(f"'{where}' says nc: {data['nc']}, but has {len(names)} names")
    return tuple(str(name).strip() for name in names)


def _names_of_text(path: Path) -> Tuple[str, ...]:
    try:
        names = path.read_text(encoding='utf-8-sig').rstrip().splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"'{path}' is no text in UTF-8 ({error})") from error
    if not all(name.strip() for name in names) or not names:
        raise ValueError(f"'{path}' must have a name of a class on every line, in the order of their numbers")
    return tuple(name.strip() for name in names)


def _splits_of(root: Path) -> Dict[str, List[Path]]:
    """Images by split, of a folder without a word on it."""
    for folder in (root / 'images', root):
        if folder.is_dir():
            splits = split_folders(folder)
            if splits:
                return {split: find_images(path / 'images' if (path / 'images').is_dir() else path)
                        for split, path in splits.items()}
    return dict(train=find_images(root / 'images' if (root / 'images').is_dir() else root))


def _splits_of_yaml(data: Dict[str, Any], file: Path, notes: Notes) -> Dict[str, List[Path]]:
    """Images by split, as ``data.yaml`` says. Missing splits other than training are told: web sites name them all."""
    splits: Dict[str, List[Path]] = {}
    for split, keys in dict(train=['train'], val=['val', 'valid'], test=['test']).items():
        places = next((data[key] for key in keys if data.get(key)), None)
        if places is None:
            continue
        splits[split] = []
        for place in places if isinstance(places, list) else [places]:
            found = _find_place(str(place), data, file)
            if found is None:
                if split == 'train':
                    raise ValueError(f"'{file}' says that the training images are in '{place}', which is not there")
                notes.remark(f"'{file.name}' names '{place}' for {split}, which is not there")
                continue
            splits[split] += find_images(found) if found.is_dir() else _listed_images(found, data, file)
    return splits


def _find_place(place: str, data: Dict[str, Any], file: Path, *more: Path) -> Optional[Path]:
    """What a path of ``data.yaml`` means: web sites write ``../`` too many, or the folder of another machine as ``path``."""
    inner = place
    while inner.startswith('../'):
        inner = inner[3:]
    bases = [*more, file.parent / str(data.get('path') or ''), file.parent]
    places = [Path(os.path.normpath(base / name)) for base in bases for name in (place, inner)]
    return next((path for path in places if path.exists()), None)


def _listed_images(path: Path, data: Dict[str, Any], file: Path) -> List[Path]:
    """The images that a text file names."""
    images = []
    for line in path.read_text(encoding='utf-8-sig').split('\n'):
        name = line.strip()
        if name:
            # CVAT begins all paths with the name of a folder that its archive does not have.
            found = _find_place(name, data, file, path.parent) or _find_place(name.partition('/')[2] or name, data, file)
            if found is None or not is_image(found):
                raise FileNotFoundError(f"'{path}' names the image '{name}', which is not there")
            images.append(found)
    return images


def _label_file(image: Path, root: Path) -> Optional[Path]:
    """Where an image's labels are; None if it has none."""
    relative = image.relative_to(root) if root in image.parents else image
    parts = list(relative.parts[:-1])
    places = [image.with_suffix('.txt')]
    if 'images' in parts:
        last = len(parts) - 1 - parts[::-1].index('images')
        base = root if root in image.parents else Path()
        places.insert(0, Path(base, *parts[:last], 'labels', *parts[last + 1:], image.stem + '.txt'))
    return next((place for place in places if place.is_file()), None)


def _looks_like_label(path: Path) -> bool:
    words = path.read_text(encoding='utf-8', errors='replace').split('\n', 1)[0].split()
    return len(words) >= 5 and words[0].isdigit()


def _read_image(path: Path, root: Path, line: _Line) -> LabelledImage:
    size = image_size(path)
    file = _label_file(path, root)
    boxes = [] if file is None else _read_labels(file, size, line)
    if file is None:
        line.notes.count('images without a label file taken as images without objects')
    return LabelledImage(path, size, inside(boxes, size, line.notes))


def _read_labels(file: Path, size: Tuple[int, int], line: _Line) -> List[Box]:
    try:
        text = file.read_text(encoding='utf-8-sig')
    except UnicodeDecodeError as error:
        raise ValueError(f"label file '{file}' is no text ({error})") from error
    return [_read_line(words, f"label file '{file}', line {number}", size, line)
            for number, words in enumerate((row.split() for row in text.splitlines()), 1) if words]


def _read_line(words: List[str], where: str, size: Tuple[int, int], line: _Line) -> Box:
    try:
        numbers = [float(word) for word in words]
    except ValueError:
        raise ValueError(f"{where}: '{' '.join(words)}' are not all numbers; {_FORM}") from None
    label, values = numbers[0], numbers[1:]
    if line.has_keypoints:
        values = values[:4]
    if len(values) != 4 and (len(values) < 6 or len(values) % 2):
        raise ValueError(f"{where} has {len(words)} numbers; {_FORM}")
    if label not in range(len(line.names)):
        raise ValueError(f'{where}: {words[0]} is the number of no class; there are {len(line.names)} '
                         f'({", ".join(line.names)}), counted from 0')
    if not all(math.isfinite(value) and abs(value) <= _FAR for value in values):
        raise ValueError(f'{where}: {" ".join(words[1:])} are no parts of the image, from 0 to 1; pixels must be divided by '
                         'its width and height')
    if len(values) == 4:
        x, y, width, height = values
        if width < 0 or height < 0:
            raise ValueError(f'{where}: width or height is negative; {_FORM}')
        edges = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    else:
        line.notes.count('polygons or turned boxes became the upright boxes around them')
        edges = (min(values[::2]), min(values[1::2]), max(values[::2]), max(values[1::2]))
    return Box(line.names[int(label)], (edges[0] * size[0], edges[1] * size[1], edges[2] * size[0], edges[3] * size[1]))
