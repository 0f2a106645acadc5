"""One small detection set, written in each of the formats that can be converted."""
import json

import cv2
import numpy as np

from nasbnn_det.datasets.converters import READERS

NAMES = ('cat', 'dog', 'bird')
# By split and image: width, height and boxes (class, left, top, right, bottom).
TRUTH = dict(
    train={'a': ((60, 40), [('dog', 10, 4, 30, 20), ('cat', 0, 0, 60, 40)]), 'b': ((32, 48), [])},
    val={'c': ((50, 50), [('cat', 5, 10, 15, 40)])})


def write_image(path, size):
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.full((size[1], size[0], 3), 99, np.uint8))


def write_text(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding='utf-8')


def yolo_lines(size, boxes):
    return ''.join(f'{NAMES.index(name)} {(x + right) / 2 / size[0]:.6f} {(y + bottom) / 2 / size[1]:.6f} '
                   f'{(right - x) / size[0]:.6f} {(bottom - y) / size[1]:.6f}\n' for name, x, y, right, bottom in boxes)


def voc_xml(size, boxes, extra='', shift=0, database='mine'):
    objects = ''.join(
        f'<object><name>{name}</name>{extra}<bndbox><xmin>{x + shift}</xmin><ymin>{y + shift}</ymin><xmax>{right}</xmax>'
        f'<ymax>{bottom}</ymax></bndbox></object>' for name, x, y, right, bottom in boxes)
    return (f'<annotation><source><database>{database}</database></source><size><width>{size[0]}</width>'
            f'<height>{size[1]}</height></size>{objects}</annotation>')


def write_yolo(root, image='{split}/images/{name}.jpg', label='{split}/labels/{name}.txt', truth=TRUTH):
    for split, images in truth.items():
        for name, (size, boxes) in images.items():
            folder = 'valid' if split == 'val' else split
            write_image(root / image.format(split=folder, name=name), size)
            if boxes:
                write_text(root / label.format(split=folder, name=name), yolo_lines(size, boxes))
    return root


def write_data_yaml(root):
    write_yolo(root)
    write_text(root / 'data.yaml', "train: ../train/images\nval: ../valid/images\ntest: ../test/images\nnc: 3\n"
               f'names: {list(NAMES)}\n')
    return root


def write_yolo_lists(root):
    """As CVAT does: lists of images, with a folder in front that isn't there; names by number."""
    write_yolo(root, 'images/{split}/{name}.jpg', 'labels/{split}/{name}.txt')
    write_text(root / 'train.txt', 'data/images/train/a.jpg\ndata/images/train/b.jpg\n')
    write_text(root / 'val.txt', 'data/images/valid/c.jpg\n')
    write_text(root / 'data.yaml', 'path: .\ntrain: train.txt\nval: val.txt\nnames:\n  0: cat\n  1: dog\n  2: bird\n')
    return root


def write_yolo_beside(root):
    write_yolo(root, '{split}/{name}.jpg', '{split}/{name}.txt')
    write_text(root / 'classes.txt', '\n'.join(NAMES) + '\n')
    return root


def write_voc(root):
    for split, images in TRUTH.items():
        for name, (size, boxes) in images.items():
            write_image(root / 'JPEGImages' / f'{name}.jpg', size)
            write_text(root / 'Annotations' / f'{name}.xml', voc_xml(size, boxes))
        write_text(root / 'ImageSets' / 'Main' / f'{split}.txt', '\n'.join(images) + '\n')
        write_text(root / 'ImageSets' / 'Main' / f'cat_{split}.txt', 'no list of images')
    return root


def write_voc_beside(root):
    for split, images in TRUTH.items():
        for name, (size, boxes) in images.items():
            write_image(root / split / f'{name}.png', size)
            if boxes:
                write_text(root / split / f'{name}.xml', voc_xml(size, boxes))
    return root


def write_labelme(root):
    for split, images in TRUTH.items():
        for name, (size, boxes) in images.items():
            write_image(root / split / f'{name}.jpg', size)
            shapes = [dict(label=label, points=[[right, y], [x, bottom]], shape_type='rectangle')
                      for label, x, y, right, bottom in boxes]
            write_text(root / split / f'{name}.json', json.dumps(
                dict(shapes=shapes, imagePath=f'{name}.jpg', imageWidth=size[0], imageHeight=size[1], imageData=None)))
    return root


def coco_content(images, file_name='{name}.jpg'):
    """As Roboflow exports it: a category 0 that heads the others; neither area nor iscrowd."""
    content = dict(images=[], annotations=[], categories=[dict(id=0, name='pets', supercategory='none')] + [
        dict(id=number, name=name, supercategory='pets') for number, name in enumerate(NAMES, 1)])
    for image_id, (name, (size, boxes)) in enumerate(images.items()):
        content['images'].append(dict(id=image_id, file_name=file_name.format(name=name), width=size[0], height=size[1]))
        for label, x, y, right, bottom in boxes:
            content['annotations'].append(dict(
                id=len(content['annotations']), image_id=image_id, category_id=NAMES.index(label) + 1,
                bbox=[x, y, right - x, bottom - y]))
    return content


def write_roboflow(root):
    for split, images in TRUTH.items():
        folder = root / ('valid' if split == 'val' else split)
        for name, (size, _) in images.items():
            write_image(folder / f'{name}.jpg', size)
        write_text(folder / '_annotations.coco.json', json.dumps(coco_content(images)))
    return root


def write_coco_folders(root):
    for split, images in TRUTH.items():
        for name, (size, _) in images.items():
            write_image(root / 'images' / split / f'{name}.jpg', size)
        write_text(root / 'annotations' / f'instances_{split}.json', json.dumps(coco_content(images, '/upload/{name}.jpg')))
    return root


SOURCES = dict(yolo=write_data_yaml, yolo_lists=write_yolo_lists, yolo_beside=write_yolo_beside, voc=write_voc,
               voc_beside=write_voc_beside, labelme=write_labelme, coco=write_roboflow, coco_folders=write_coco_folders)


def convert(name, root, **kwargs):
    """Reads what ``SOURCES[name]`` wrote."""
    return READERS[name.partition('_')[0]](root, **kwargs)
