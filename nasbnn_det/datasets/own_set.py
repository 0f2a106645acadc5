"""A detection set of the user's own: which files in a folder are what."""
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Optional, Sequence, Tuple, Union

from .coco_schema import read_coco_file

#: Where an annotation file is looked for, by split; the first that exists is taken.
_ANNOTATIONS = {
    split: [pattern.format(name) for pattern in
            ('annotations/instances_{}.json', 'annotations/instances_{}2017.json', 'annotations/{}.json',
             '{}/_annotations.coco.json', '{}/annotations.json', '{}.json') for name in names]
    for split, names in dict(train=('train', ), val=('val', 'valid')).items()
}
#: Folders of images, tried in turn; {split} is train or val.
_IMAGES = ('', '{split}', '{split}2017', 'valid', 'test', 'images', 'images/{split}', 'images/{split}2017')


@dataclass(frozen=True)
class Split:
    """Training or validation part of a set.

    Args:
        ann_file (str): COCO detection file, from the set's folder.
        images (str): Folder that its file names begin in, from the set's folder; '' for the folder itself.
        num_images (int): Images.
        num_boxes (int): Annotated objects.
    """
    ann_file: str
    images: str
    num_images: int
    num_boxes: int


@dataclass(frozen=True)
class OwnSet:
    """A COCO-format set in one folder.

    Args:
        root (str): The folder.
        classes (tuple[str]): Names of the classes, in the files' order.
        train (Split): What to train on.
        val (Split): What to evaluate on.
    """
    root: str
    classes: Tuple[str, ...]
    train: Split
    val: Split


def find_own_set(root: Union[str, os.PathLike], train: Optional[str] = None, val: Optional[str] = None) -> OwnSet:
    """Finds annotation files and images in a folder and checks that they fit.

    Known layouts: ``annotations/instances_train.json`` with ``train/`` or ``images/train/``, COCO's own names that end in
    2017, and what annotation web sites export, ``train/_annotations.coco.json`` beside the images.

    Args:
        root: The folder.
        train (str, optional): Annotation file to train on, from that folder. Defaults to None: looked for.
        val (str, optional): The same to evaluate on. Defaults to None.

    Raises:
        FileNotFoundError: If a file is not there, or the first image of a split is in no known place.
        ValueError: If a file is no COCO detection file, or the two have other classes.
    """
    root = Path(root)
    if not root.is_dir():
        raise FileNotFoundError(f"'{root}' is no folder; give that of a COCO-format set")
    files = dict(train=train or _find(root, 'train'), val=val or _find(root, 'val'))
    contents = {split: read_coco_file(root / file, str(root / file)) for split, file in files.items()}
    names = {split: tuple(category['name'] for category in content['categories']) for split, content in contents.items()}
    if names['train'] != names['val']:
        raise ValueError(f"'{files['train']}' has the classes {_listed(names['train'])} and '{files['val']}' "
                         f"{_listed(names['val'])}; both must have the same, in the same order")
    splits = {split: Split(file, _find_images(root, split, file, contents[split]), len(contents[split]['images']),
                           len(contents[split]['annotations'])) for split, file in files.items()}
    return OwnSet(str(root), names['train'], splits['train'], splits['val'])


def _find(root: Path, split: str) -> str:
    found = [file for file in _ANNOTATIONS[split] if (root / file).is_file()]
    if not found:
        raise FileNotFoundError(f"'{root}' has no annotation file of the {split} images where one is looked for "
                                f'({", ".join(_ANNOTATIONS[split])}); name it by --{split}, or make one by '
                                'tools/dataset_converters')
    return found[0]


def _find_images(root: Path, split: str, file: str, content: Dict[str, Any]) -> str:
    if not content['images']:
        raise ValueError(f"annotation file '{root / file}' lists no images; there is nothing to learn or to evaluate on")
    first = content['images'][0]['file_name']
    folders = [str(Path(file).parent), *(folder.format(split=split) for folder in _IMAGES)]
    found = [folder for folder in folders if (root / folder / first).is_file()]
    if not found:
        raise FileNotFoundError(f"image '{first}' of '{root / file}' is in none of the folders "
                                f"{', '.join(repr(folder or '.') for folder in dict.fromkeys(folders))} of '{root}'")
    return '' if found[0] in ('', '.') else found[0] + '/'


def _listed(names: Sequence[str]) -> str:
    shown = ', '.join(names[:8])
    return f'({shown}{", ..." if len(names) > 8 else ""})'
