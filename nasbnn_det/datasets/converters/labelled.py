"""What every source format is read into: images with boxes, by split."""
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple
from typing import Counter as CounterType

from ...image_files import IMAGE_SUFFIXES

_SPLITS = dict(train=('train', 'training'), val=('val', 'valid', 'validation'), test=('test', 'testing'))
# Labels are rounded, so that boxes at the border stick out by a trifle.
_TRIFLE = 0.51  # px


class Notes:
    """What a user should know of a set: remarks, and how often something was met that is told in one line."""

    def __init__(self) -> None:
        self._counted: CounterType[str] = Counter()
        self._remarks: Dict[str, None] = {}

    def count(self, what: str, number: int = 1) -> None:
        """Adds to what is told as ``NUMBER WHAT``."""
        self._counted[what] += number

    def remark(self, sentence: str) -> None:
        """Adds a sentence; it is told once."""
        self._remarks[sentence] = None

    def lines(self) -> List[str]:
        """All of it, in the order in which it was met."""
        return [*self._remarks, *(f'{number} {what}' for what, number in self._counted.items() if number)]


class Box(NamedTuple):
    """A labelled object.

    Args:
        name (str): Its class.
        corners (tuple[float, float, float, float]): Left, top, right and bottom edge in pixels; 0 is the image's corner.
        crowd (bool): Neither to be learned nor missed: COCO's ``iscrowd``.
        segmentation: As in COCO, if the source is COCO and has one.
    """
    name: str
    corners: Tuple[float, float, float, float]
    crowd: bool = False
    segmentation: Any = None


@dataclass
class LabelledImage:
    """An image and what is labelled in it.

    Args:
        path (Path): The file.
        size (tuple[int, int]): Width and height in pixels, as it is seen: turned as its EXIF data say.
        boxes (list[Box]): Its objects, each inside the image.
    """
    path: Path
    size: Tuple[int, int]
    boxes: List[Box]


@dataclass
class LabelledSet:
    """A detection set.

    Args:
        names (tuple[str, ...]): Names of the classes, in the order of the labels.
        splits (dict[str, list[LabelledImage]]): By ``train``, ``val`` and ``test``, as far as the source has them.
        notes (Notes): What the user should know.
    """
    names: Tuple[str, ...]
    splits: Dict[str, List[LabelledImage]]
    notes: Notes = field(default_factory=Notes)


def folder_of(source: Path) -> Path:
    """The folder of a set: the source itself, or that of a file of it, which may lie in ``annotations``."""
    if not source.is_file():
        return source
    return source.parent.parent if source.parent.name == 'annotations' else source.parent


def split_name(word: str) -> Optional[str]:
    """``train``, ``val`` or ``test`` if a folder or file of this name holds that split."""
    return next((split for split, words in _SPLITS.items() if word.lower() in words), None)


def split_folders(root: Path) -> Dict[str, Path]:
    """Folders in ``root`` that hold a split.

    Raises:
        ValueError: If two hold the same.
    """
    found: Dict[str, Path] = {}
    for folder in sorted(path for path in root.iterdir() if path.is_dir()):
        split = split_name(folder.name)
        if split in found:
            raise ValueError(f"'{found[split]}' and '{folder}' both look like the split '{split}'; leave one of them there")
        if split is not None:
            found[split] = folder
    return dict(sorted(found.items(), key=lambda item: list(_SPLITS).index(item[0])))


def find_images(folder: Path) -> List[Path]:
    """Image files in a folder and below it, sorted; hidden ones don't count."""
    return sorted(path for path in folder.rglob('*') if path.suffix.lower() in IMAGE_SUFFIXES
                  and not any(part.startswith('.') for part in path.relative_to(folder).parts))


def is_image(path: Path) -> bool:
    """Whether a file's name is that of an image."""
    return path.suffix.lower() in IMAGE_SUFFIXES


def image_size(path: Path) -> Tuple[int, int]:
    """Width and height of an image in pixels, turned as its EXIF data say: that is how it is loaded for training.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no image.
    """
    from PIL import Image
    try:
        with Image.open(path) as image:
            # Of these OpenCV knows the EXIF data. A PNG file would be decoded to look for them behind its pixels.
            has_exif = image.format in ('JPEG', 'MPO') or (image.format == 'PNG' and 'exif' in image.info)
            turned = has_exif and image.getexif().get(0x0112, 1) in (5, 6, 7, 8)
            return (image.height, image.width) if turned else (image.width, image.height)
    except FileNotFoundError:
        raise FileNotFoundError(f"image '{path}' does not exist") from None
    except Exception as error:  # Pillow's readers raise whatever a broken file leads them to
        raise ValueError(f"image '{path}' can't be read ({error}); leave it out, or put a whole one in its place") from error


def checked_size(path: Path, stated: Tuple[Any, Any], where: str) -> Tuple[int, int]:
    """The size of an image, if its labels say the same.

    Args:
        path (Path): The image.
        stated (tuple): Width and height as the labels say; 0 and None are not known.
        where (str): What messages call the labels.

    Raises:
        FileNotFoundError: If there is no such image.
        ValueError: If it is none, or of another size.
    """
    size = image_size(path)
    if all(stated) and tuple(stated) != size:
        hint = '; its EXIF data turn it: save it upright and label it anew' if tuple(stated) == size[::-1] else ''
        raise ValueError(f"image '{path}' is {size[0]} x {size[1]} pixels, but {where} says {stated[0]} x {stated[1]}, so "
                         f'its boxes would not fit{hint}')
    return size


def inside(boxes: Sequence[Box], size: Tuple[int, int], notes: Notes) -> List[Box]:
    """Cuts boxes at the image's edges; leaves out those of which nothing is left, and repetitions. Each is counted.

    Args:
        boxes (Sequence[Box]): As labelled.
        size (tuple[int, int]): Width and height of the image.
        notes (Notes): Is counted in.
    """
    kept: Dict[Any, Box] = {}
    for box in boxes:
        left, top, right, bottom = box.corners
        cut = (max(left, 0.0), max(top, 0.0), min(right, float(size[0])), min(bottom, float(size[1])))
        if cut[0] >= cut[2] or cut[1] >= cut[3]:
            empty = left >= right or top >= bottom
            notes.count('boxes without width or height left out' if empty else 'boxes outside of their image left out')
            continue
        if max(abs(a - b) for a, b in zip(cut, box.corners)) > _TRIFLE:
            notes.count('boxes that stuck out of their image cut at its edge')
        key = (box.name, cut, box.crowd)
        if key in kept:
            notes.count('boxes that were there twice kept once')
        kept.setdefault(key, box._replace(corners=cut))
    return list(kept.values())


def choose_names(found: Sequence[str], wanted: Sequence[str], where: str) -> Tuple[str, ...]:
    """Names of the classes where the source has no list of them.

    Args:
        found (Sequence[str]): Names of the objects.
        wanted (Sequence[str]): What the user wants, in that order; empty: the sorted names of the objects.
        where (str): What messages call the source.

    Raises:
        ValueError: If an object has a name that isn't wanted, or there is none.
    """
    unknown = sorted(set(found) - set(wanted)) if wanted else []
    if unknown:
        raise ValueError(f"{where} has objects of the class '{unknown[0]}', which is none of the classes that were named "
                         f'({", ".join(wanted)}); name all, a config may use some of them')
    names = tuple(wanted) or tuple(sorted(set(found)))
    if not names:
        raise ValueError(f'{where} has no object at all: there is nothing to train on')
    return names
