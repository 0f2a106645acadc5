"""Makes COCO files of a detection set in another format: YOLO's text files, Pascal VOC's xml, LabelMe's json, or COCO as web
sites export it (Roboflow, CVAT, Label Studio). Images stay where they are unless --copy-to is given.
"""
import argparse
from collections import Counter
from pathlib import Path
from typing import Counter as CounterType
from typing import List

from nasbnn_det.cli import run_tool
from nasbnn_det.datasets.converters import (
    READERS,
    LabelledImage,
    LabelledSet,
    copy_images,
    folder_of,
    read_voc,
    split_validation,
    write_coco,
)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('format', choices=sorted(READERS), help='of the source')
    parser.add_argument('source', type=Path, help='folder of the set; or its data.yaml, or one COCO file')
    parser.add_argument('--out', type=Path, help='folder for instances_SPLIT.json; default: annotations/ in the data root')
    parser.add_argument('--classes', nargs='+', default=[], metavar='NAME',
                        help="names of YOLO's classes 0, 1, ..., or the order of the others'; default: as in the source")
    parser.add_argument('--first-pixel', type=int, choices=(0, 1), help="voc: whether a box's pixels count from 0 or from 1")
    parser.add_argument('--val-fraction', type=float, metavar='F',
                        help='takes this part of the training images for validation, each class on both sides if it can be')
    parser.add_argument('--seed', type=int, default=0, help='chooses the validation images')
    parser.add_argument('--data-root', type=Path, help="folder that images are named from; default: the source's")
    parser.add_argument('--copy-to', type=Path, metavar='DIR', help='copies the images to DIR/SPLIT; DIR is the data root')
    return parser.parse_args()


def report(labelled: LabelledSet) -> None:
    """A line per fact that the user should know."""
    for line in labelled.notes.lines():
        print(f'note: {line}')
    boxes = {split: _count(images) for split, images in labelled.splits.items()}
    missing = [name for name in labelled.names if not any(count[name] for count in boxes.values())]
    if missing:
        print(f'note: no object of the classes {", ".join(missing)}')
    if 'train' in boxes and 'val' in boxes:
        for split, other in (('train', 'val'), ('val', 'train')):
            lacking = [name for name in labelled.names if boxes[other][name] and not boxes[split][name]]
            if lacking:
                print(f'note: {split} has no object of the classes {", ".join(lacking)}')
        same = {image.path for image in labelled.splits['train']} & {image.path for image in labelled.splits['val']}
        if same:
            print(f'note: {len(same)} images are in train and in val: the score says nothing about other images')
    elif 'train' in boxes:
        print('note: no validation split; --val-fraction 0.2 takes one from the training images')


def _count(images: List[LabelledImage]) -> CounterType[str]:
    return Counter(box.name for image in images for box in image.boxes)


def summary(split: str, images: List[LabelledImage], names: tuple, path: Path) -> str:
    count = _count(images)
    empty = sum(not image.boxes for image in images)
    by_class = ', '.join(f'{name} {count[name]}' for name in names[:20]) + (', ...' if len(names) > 20 else '')
    without = f' ({empty} without objects)' if empty else ''
    return f'{split}: {len(images)} images{without}, {sum(count.values())} objects ({by_class}): {path}'


def main() -> None:
    args = parse_args()
    if args.copy_to and args.data_root:
        raise ValueError('with --copy-to its folder is the data root; leave --data-root out')
    if args.copy_to and folder_of(args.source).resolve() in (args.copy_to.resolve(), *args.copy_to.resolve().parents):
        raise ValueError(f"--copy-to '{args.copy_to}' is in the source's folder, where the next run would take it for more "
                         'images; name one outside')
    if args.first_pixel is not None and args.format != 'voc':
        raise ValueError('--first-pixel is for voc only; the other formats say where their pixels begin')
    labelled = (READERS[args.format](args.source, args.classes) if args.format != 'voc' else
                read_voc(args.source, args.classes, args.first_pixel))
    if args.val_fraction is not None:
        labelled = split_validation(labelled, args.val_fraction, args.seed)
    data_root = args.copy_to or args.data_root or folder_of(args.source)
    if args.copy_to:
        labelled = copy_images(labelled, args.copy_to)
    paths = write_coco(labelled, data_root, args.out or data_root / 'annotations')
    report(labelled)
    for split, path in paths.items():
        print(summary(split, labelled.splits[split], labelled.names, path))
    print(f"in a config: metainfo=dict(classes={labelled.names}), data_root='{data_root.as_posix()}/', "
          f"data_prefix=dict(img=''), num_classes={len(labelled.names)}")


if __name__ == '__main__':
    run_tool(main)
