"""Reads a detection set with the xml files of Pascal VOC, as LabelImg and many web sites write them too."""
import math
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple
from xml.etree import ElementTree

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
    is_image,
    split_folders,
    split_name,
)

_IMAGE_FOLDERS = ('JPEGImages', 'images', 'Images')
_EDGES = ('xmin', 'ymin', 'xmax', 'ymax')


class _Pair(NamedTuple):
    """An image and its xml file, if it has one."""
    image: Path
    xml: Optional[Path]


class _Read(NamedTuple):
    """What an xml file says: objects with their pixels as written, the image's size, and whether it is one of VOC itself."""
    size: Tuple[int, int]
    boxes: List[Box]
    is_original: bool


def read_voc(source: Path, names: Sequence[str] = (), first_pixel: Optional[int] = None) -> LabelledSet:
    """Reads a set of Pascal VOC's xml files.

    The folder has ``Annotations``, ``JPEGImages`` (or ``images``) and, if it is split, ``ImageSets/Main/train.txt``,
    ``val.txt``, ``test.txt``; or the xml files lie beside the images, by split in ``train/``, ``valid/``, ``test/`` or all
    together. An image without an xml file has no objects.

    ``difficult`` objects become ``iscrowd``: that is COCO's way to say "neither to be learned nor missed".

    Args:
        source (Path): The set's folder.
        names (Sequence[str]): Names of the classes in the wanted order; empty: sorted.
        first_pixel (int, optional): 1: pixels count from 1 and a box's last pixel belongs to it, as in Pascal VOC itself. 0:
            numbers are edges, and 0 is the image's, as most programs write them. Defaults to None: 1 if ``<database>``
            names VOC and no box begins at 0.

    Returns:
        LabelledSet: All of it.

    Raises:
        FileNotFoundError: If there is no such folder, or an image is missing that a list names.
        ValueError: If there are no xml files, one is broken, or an object's class is none of ``names``.
    """
    notes = Notes()
    pairs = _pairs(source, notes)
    if not any(pair.xml for found in pairs.values() for pair in found):
        raise ValueError(f"no image of '{source}' has an xml file, neither in Annotations/ nor beside it; name the folder "
                         'that holds Annotations/')
    read = {split: [_read(pair, notes) for pair in found] for split, found in pairs.items() if found}
    boxes = [box for found in read.values() for entry in found for box in entry.boxes]
    if first_pixel is None:
        original = any(entry.is_original for found in read.values() for entry in found)
        first_pixel = int(original and all(min(box.corners[:2]) >= 1 for box in boxes))
        whose = 'as in Pascal VOC itself' if first_pixel else 'as most programs write them'
        notes.remark(f'pixels are taken to count from {first_pixel}, {whose}; otherwise: --first-pixel {1 - first_pixel}')
    splits: Dict[str, List[LabelledImage]] = {}
    for split, found in read.items():
        splits[split] = []
        for pair, entry in zip(pairs[split], found):
            moved = [_moved(box, first_pixel) for box in entry.boxes]
            splits[split].append(LabelledImage(pair.image, entry.size, inside(moved, entry.size, notes)))
    return LabelledSet(choose_names([box.name for box in boxes], names, f"'{source}'"), splits, notes)


def _moved(box: Box, first_pixel: int) -> Box:
    left, top, right, bottom = box.corners
    return box._replace(corners=(left - first_pixel, top - first_pixel, right, bottom))


def _pairs(source: Path, notes: Notes) -> Dict[str, List[_Pair]]:
    """Images and their xml files by split."""
    if not source.is_dir():
        raise FileNotFoundError(f"'{source}' is no folder; give the one that holds Annotations/, or images and xml files")
    if not (source / 'Annotations').is_dir() and split_folders(source):
        return {split: _pairs_of(folder, notes) for split, folder in split_folders(source).items()}
    found = _pairs_of(source, notes)
    lists = _lists(source)
    if not lists:
        return dict(train=found)
    by_name = {pair.image.stem: pair for pair in found}
    splits: Dict[str, List[_Pair]] = {}
    for split, (file, listed) in lists.items():
        listed = [next((form for form in _forms(name) if form in by_name), name) for name in listed]
        lists[split] = file, listed
        missing = [name for name in listed if name not in by_name]
        if missing:
            raise FileNotFoundError(f"'{file}' names '{missing[0]}', for which there is no image")
        splits[split] = [by_name[name] for name in listed]
    notes.count('images that no list in ImageSets/Main names left out',
                len(set(by_name) - {name for _, listed in lists.values() for name in listed}))
    return splits


def _lists(source: Path) -> Dict[str, Tuple[Path, List[str]]]:
    """Names of images by split. ``trainval`` is training where there is no ``train``."""
    folder = source / 'ImageSets' / 'Main'
    files = {split_name(path.stem): path for path in sorted(folder.glob('*.txt')) if split_name(path.stem)}
    if 'train' not in files and 'val' not in files and (folder / 'trainval.txt').is_file():
        files['train'] = folder / 'trainval.txt'
    order = [split for split in ('train', 'val', 'test') if split in files]
    return {split: (files[split], [line.strip() for line in files[split].read_text(encoding='utf-8-sig').splitlines()
                                   if line.strip()]) for split in order}


def _forms(line: str) -> List[str]:
    """What an image of a list may be called: with its ending, or with VOC's -1, 0 or 1 behind it."""
    return [line, Path(line).stem if is_image(Path(line)) else line, line.rpartition(' ')[0].strip()]


def _pairs_of(folder: Path, notes: Notes) -> List[_Pair]:
    """Images and xml files of one folder."""
    separate = (folder / 'Annotations').is_dir()
    place = next((folder / name for name in _IMAGE_FOLDERS if (folder / name).is_dir()), folder)
    images = find_images(place)
    files = {path.relative_to(folder / 'Annotations').with_suffix('').as_posix(): path
             for path in (folder / 'Annotations').rglob('*.xml')} if separate else {}
    pairs = []
    for image in images:
        beside = image.with_suffix('.xml')
        xml = files.get(image.relative_to(place).with_suffix('').as_posix()) if separate else beside
        pairs.append(_Pair(image, xml if xml is not None and xml.is_file() else None))
    used = {pair.xml for pair in pairs}
    everything = files.values() if separate else place.rglob('*.xml')
    notes.count('xml files without an image left out', sum(path not in used for path in everything))
    return pairs


def _read(pair: _Pair, notes: Notes) -> _Read:
    if pair.xml is None:
        notes.count('images without an xml file taken as images without objects')
        return _Read(image_size(pair.image), [], False)
    where = f"annotation file '{pair.xml}'"
    try:
        root = ElementTree.parse(pair.xml).getroot()
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise ValueError(f'{where} is no whole xml ({error})') from error
    if root.tag != 'annotation':
        raise ValueError(f"{where} is none of Pascal VOC's: it must begin with <annotation>, not <{root.tag}>")
    stated = (_whole(root.findtext('size/width')), _whole(root.findtext('size/height')))
    boxes = [_read_object(node, f'{where}, object {number}', notes) for number, node in enumerate(root.findall('object'), 1)]
    return _Read(checked_size(pair.image, stated, where), boxes, 'VOC' in (root.findtext('source/database') or ''))


def _whole(text: Optional[str]) -> int:
    """A size in pixels; 0 if none is given, as some programs do."""
    try:
        return int(float(text or 0))
    except (ValueError, OverflowError):
        return 0


def _read_object(node: ElementTree.Element, where: str, notes: Notes) -> Box:
    name = (node.findtext('name') or '').strip()
    if not name:
        raise ValueError(f'{where} has no <name>')
    values = []
    for edge in _EDGES:
        text = node.findtext(f'bndbox/{edge}')
        try:
            values.append(float(text or ''))
        except ValueError:
            raise ValueError(f"{where} ('{name}') has no number in <bndbox><{edge}>") from None
    left, top, right, bottom = values
    if not all(map(math.isfinite, values)) or left > right or top > bottom:
        raise ValueError(f"{where} ('{name}') has the box {values}; xmin must not be above xmax, nor ymin above ymax")
    difficult = (node.findtext('difficult') or '').strip().lower() in ('1', 'true', 'yes')
    if difficult:
        notes.count("'difficult' objects became 'iscrowd': neither learned nor missed")
    return Box(name, (left, top, right, bottom), crowd=difficult)
