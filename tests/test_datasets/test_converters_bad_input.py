"""Bad input of the converters ends in one sentence."""
import shutil

import pytest
from detection_sources import NAMES, SOURCES, convert, write_data_yaml, write_text

TOOL = 'tools/dataset_converters/to_coco.py'


def change(path, old, new):
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def cut(path):
    path.write_bytes(path.read_bytes()[:len(path.read_bytes()) // 2])


A_TXT, A_XML, A_JSON = 'train/labels/a.txt', 'Annotations/a.xml', 'train/a.json'
ROBOFLOW = 'train/_annotations.coco.json'
BAD = {
    'four numbers': ('yolo', lambda r: write_text(r / A_TXT, '0 0.5 0.5 0.1\n'), r'a.txt., line 1 has 4 numbers'),
    'a score': ('yolo', lambda r: write_text(r / A_TXT, '\n0 .5 .5 .1 .1 .9\n'), 'line 2 has 6 numbers'),
    'class beyond': ('yolo', lambda r: write_text(r / A_TXT, '3 .5 .5 .1 .1\n'), '3 is the number of no class'),
    'class below': ('yolo', lambda r: write_text(r / A_TXT, '-1 .5 .5 .1 .1\n'), '-1 is the number of no class'),
    'words': ('yolo', lambda r: write_text(r / A_TXT, 'cat .5 .5 .1 .1\n'), 'are not all numbers'),
    'pixels': ('yolo', lambda r: write_text(r / A_TXT, '0 30 20 10 10\n'), 'pixels must be divided'),
    'nan': ('yolo', lambda r: write_text(r / A_TXT, '0 nan .5 .1 .1\n'), 'are no parts of the image'),
    'negative': ('yolo', lambda r: write_text(r / A_TXT, '0 .5 .5 -.1 .1\n'), 'width or height is negative'),
    'nc': ('yolo', lambda r: change(r / 'data.yaml', 'nc: 3', 'nc: 4'), r'says nc: 4, but has 3 names'),
    'names from 1': ('yolo', lambda r: change(r / 'data.yaml', "['cat', 'dog', 'bird']", '{1: cat}'), 'must be 0, 1, 2'),
    'no names': ('yolo', lambda r: (r / 'data.yaml').unlink(), 'name them by --classes'),
    'yaml': ('yolo', lambda r: write_text(r / 'data.yaml', 'names: ['), 'is no YAML'),
    'no train': ('yolo', lambda r: shutil.rmtree(r / 'train'), "training images are in '../train/images'"),
    'no labels': ('yolo', lambda r: [shutil.rmtree(r / s / 'labels') for s in ('train', 'valid')], 'has a label file'),
    'no image': ('yolo', lambda r: write_text(r / 'train/images/b.jpg', 'no image'), "b.jpg' can't be read"),
    'two yaml': ('yolo', lambda r: shutil.copy(r / 'data.yaml', r / 'other.yaml'), 'several files with names'),
    'list': ('yolo_lists', lambda r: write_text(r / 'val.txt', 'images/valid/x.jpg'), "the image 'images/valid/x.jpg'"),
    'xml cut': ('voc', lambda r: cut(r / A_XML), 'a.xml. is no whole xml'),
    'other xml': ('voc', lambda r: write_text(r / A_XML, '<a/>'), 'must begin with <annotation>, not <a>'),
    'xml size': ('voc', lambda r: change(r / A_XML, '<width>60', '<width>600'), 'is 60 x 40 pixels, but .* says 600 x 40'),
    'no number': ('voc', lambda r: change(r / A_XML, '<xmin>10', '<xmin>x'), "has no number in <bndbox><xmin>"),
    'turned box': ('voc', lambda r: change(r / A_XML, '<xmin>10', '<xmin>40'), 'xmin must not be above xmax'),
    'no name': ('voc', lambda r: change(r / A_XML, 'dog', ' '), 'object 1 has no <name>'),
    'unknown': ('voc', lambda r: change(r / A_XML, 'dog', 'cow'), "objects of the class 'cow', which is none of"),
    'set': ('voc', lambda r: write_text(r / 'ImageSets/Main/val.txt', 'nothing'), "for which there is no image"),
    'no xml': ('voc', lambda r: shutil.rmtree(r / 'Annotations'), 'has an xml file'),
    'json cut': ('labelme', lambda r: cut(r / A_JSON), 'a.json. is no whole JSON'),
    'no shapes': ('labelme', lambda r: write_text(r / A_JSON, '{}'), "must have a list 'shapes'"),
    'shape': ('labelme', lambda r: change(r / A_JSON, '[30, 4]', '[30]'), r"shapes\[0\] must have a 'label' and 'points'"),
    'a point': ('labelme', lambda r: change(r / A_JSON, '[30, 4], ', ''), 'rectangle of 1 points'),
    'coco cut': ('coco', lambda r: cut(r / ROBOFLOW), 'is no whole JSON'),
    'coco box': ('coco', lambda r: change(r / ROBOFLOW, '[10, 4, 20, 16]', '[10, 4, 20]'), "'bbox' of annotations"),
    'coco image': ('coco', lambda r: (r / 'train/a.jpg').unlink(), "names the image 'a.jpg', which is neither"),
    'coco size': ('coco', lambda r: change(r / ROBOFLOW, '"width": 60, "height": 40', '"width": 40, "height": 60'), 'EXIF'),
    'two files': ('coco_folders', lambda r: shutil.copy(r / 'annotations/instances_train.json',
                                                        r / 'annotations/instances_train2.json'), 'could both be'),
    'two splits': ('voc_beside', lambda r: (r / 'valid').mkdir(), "both look like the split 'val'"),
    'no folder': ('voc', lambda r: shutil.rmtree(r), 'is no folder'),
}


@pytest.mark.parametrize('case', BAD)
def test_bad_input_is_refused_in_one_sentence(case, tmp_path):
    name, spoil, words = BAD[case]
    root = SOURCES[name](tmp_path / 'set')
    spoil(root)
    with pytest.raises((ValueError, FileNotFoundError), match=words):
        convert(name, root, names=NAMES if case == 'unknown' else ())


def test_the_tool_tells_bad_input_in_one_line(tmp_path, run_tool):
    root = write_data_yaml(tmp_path / 'set')
    write_text(root / A_TXT, '0 0.5 0.5 0.1\n')
    done = run_tool(TOOL, 'yolo', root)
    assert done.returncode == 1 and done.stderr.startswith('error: label file') and done.stderr.count('\n') == 1
    assert not (root / 'annotations').exists()
