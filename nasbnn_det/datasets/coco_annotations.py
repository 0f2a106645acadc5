"""The annotations of a COCO file, checked and read once: a data set and the metric that scores it share them."""
import contextlib
import json
import os
from pathlib import Path
from typing import Any, Dict, Hashable, Optional, Sequence, Tuple
from weakref import WeakValueDictionary

from mmdet.datasets.api_wrappers import COCO
from mmengine.fileio import get_local_path

from .coco_schema import read_coco_file


class CocoAnnotations(COCO):
    """pycocotools' object of a COCO detection file that :func:`~.coco_schema.read_coco_file` has checked.

    It is shared, so nobody may change it; a copy of a data set has the same one.

    Args:
        content (dict): The file's content.
        name (str): What messages call the file.
    """

    def __init__(self, content: Dict[str, Any], name: str) -> None:
        super().__init__()
        self.name = name
        self.dataset = content
        with contextlib.redirect_stdout(None):
            self.createIndex()
        self.img_ann_map, self.cat_img_map = self.imgToAnns, self.catToImgs

    def __deepcopy__(self, memo: dict) -> 'CocoAnnotations':
        return self

    @property
    def categories(self) -> Tuple[str, ...]:
        """Names of the categories, in the file's order."""
        return tuple(category['name'] for category in self.dataset['categories'])

    def match_classes(self, classes: Sequence[str]) -> Tuple[int, ...]:
        """Ids of the categories that a data set's labels 0, 1, ... stand for.

        MMDetection numbers labels in the order of the file's categories, whatever the order of ``metainfo['classes']``,
        and leaves out classes the file does not know. Unless both lists agree, labels would silently get wrong names,
        or none: so that is refused.

        Args:
            classes (Sequence[str]): ``metainfo['classes']``: all of the file's categories or some, in its order.

        Raises:
            ValueError: If they do not fit the file.
        """
        if isinstance(classes, str) or not classes:
            raise ValueError(f"metainfo['classes'] must be a tuple of class names, not {classes!r}.")
        classes = tuple(classes)
        both = f"classes {classes} of metainfo and categories {self.categories} of annotation file '{self.name}'"
        used = tuple(name for name in self.categories if name in classes)
        if not used:
            raise ValueError(f"{both} have no name in common: set metainfo=dict(classes=...) to the file's names.")
        unknown = tuple(name for name in classes if name not in used)
        if unknown:
            raise ValueError(f'{both} do not fit: the file must define every class, also one without objects, but '
                             f'lacks {unknown}.')
        if used != classes:
            raise ValueError(f"{both} do not fit: the classes must come in the file's order and once each, which is "
                             f'{used}.')
        ids = {category['name']: category['id'] for category in self.dataset['categories']}
        return tuple(ids[name] for name in classes)


_READ: 'WeakValueDictionary[Hashable, CocoAnnotations]' = WeakValueDictionary()


def read_annotations(ann_file: str, backend_args: Optional[dict] = None) -> CocoAnnotations:
    """Reads an annotation file, or gives what was read of it, as long as somebody holds it and the file is the same.

    Args:
        ann_file (str): Path, as MMEngine's file backends take it.
        backend_args (dict, optional): Chooses the backend. Defaults to None, by the path.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no COCO detection file.
    """
    identity = _identity(ann_file, backend_args)
    annotations = _READ.get(identity)
    if annotations is None:
        with get_local_path(ann_file, backend_args=backend_args) as path:
            annotations = CocoAnnotations(read_coco_file(path, ann_file), ann_file)
        _READ[identity] = annotations
    return annotations


def _identity(ann_file: str, backend_args: Optional[dict]) -> Hashable:
    if os.path.isfile(ann_file):
        status = os.stat(ann_file)
        return Path(ann_file).resolve(), status.st_mtime_ns, status.st_size
    return ann_file, json.dumps(backend_args, sort_keys=True, default=str)
