"""Detection sets of other formats become COCO files. Imports no OpenMMLab, and PyYAML and Pillow when they are needed."""
from pathlib import Path
from typing import Callable, Dict, Sequence

from .coco import read_coco
from .copying import copy_images
from .labelled import LabelledImage, LabelledSet, folder_of
from .labelme import read_labelme
from .splitting import split_validation
from .voc import read_voc
from .writing import write_coco
from .yolo import read_yolo

#: Readers by the name of the source format. Each takes the source and names of classes, which may be empty.
READERS: Dict[str, Callable[[Path, Sequence[str]], LabelledSet]] = dict(
    yolo=read_yolo, voc=read_voc, coco=read_coco, labelme=read_labelme)

__all__ = [
    'READERS', 'LabelledImage', 'LabelledSet', 'copy_images', 'folder_of', 'read_coco', 'read_labelme', 'read_voc',
    'read_yolo', 'split_validation', 'write_coco']
