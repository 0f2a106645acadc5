"""Broken COCO files are refused in one clear sentence, sound ones load."""
import json

import pytest

from nasbnn_det.datasets import check_coco_file
from nasbnn_det.datasets.shapes import CLASSES

pytest.importorskip('mmdet')

from mmdet.datasets import CocoDataset  # noqa: E402

from nasbnn_det.datasets.checked_coco import CheckedCocoDataset  # noqa: E402
from nasbnn_det.datasets.shapes_coco import ShapesCocoDataset  # noqa: E402
from nasbnn_det.registry import DATASETS  # noqa: E402

PREFIX = dict(img='val/')


def put(section, number, field, value):
    """A change that sets a field of an entry."""

    def change(content):
        content[section][number][field] = value

    return change


def drop(section, number, field):
    """A change that deletes a field of an entry."""

    def change(content):
        del content[section][number][field]

    return change


def replace(section, value):
    """A change that sets a whole section."""

    def change(content):
        content[section] = value

    return change


def same(section, field):
    """A change that gives the second entry a field of the first."""

    def change(content):
        content[section][1][field] = content[section][0][field]

    return change


BROKEN = {
    'no images': (lambda content: content.pop('images'), "lacks the key 'images'"),
    'no annotations': (lambda content: content.pop('annotations'), "lacks the key 'annotations'"),
    'no categories': (lambda content: content.pop('categories'), "lacks the key 'categories'"),
    'images no list': (replace('images', {}), "'images' must be a list, not {}"),
    'images empty': (replace('images', []), "'images' is empty"),
    'categories empty': (replace('categories', []), "'categories' is empty"),
    'entry no object': (replace('annotations', [3]), r'annotations\[0\] must be an object .* not 3'),
    'image without name': (drop('images', 2, 'file_name'), r"images\[2\] lacks 'file_name'; needed are id, file_name"),
    'image without width': (drop('images', 0, 'width'), "lacks 'width'"),
    'image of no height': (put('images', 1, 'height', 0), r"'height' of images\[1\] must be a positive .* not 0"),
    'image id a string': (put('images', 1, 'id', '1'), r"'id' of images\[1\] must be an integer, not \"1\""),
    'category without name': (drop('categories', 4, 'name'), r"categories\[4\] lacks 'name'"),
    'category name empty': (put('categories', 4, 'name', ''), "'name' .* non-empty string"),
    'no box': (drop('annotations', 3, 'bbox'), r"annotations\[3\] lacks 'bbox'; needed are .* and iscrowd"),
    'no area': (drop('annotations', 3, 'area'), "lacks 'area'"),
    'no iscrowd': (drop('annotations', 3, 'iscrowd'), "lacks 'iscrowd'"),
    'iscrowd a bool': (put('annotations', 3, 'iscrowd', False), "'iscrowd' .* must be 0 or 1, not false"),
    'box too short': (put('annotations', 3, 'bbox', [1, 2, 3]), r'x, y, width, height .* not \[1, 2, 3\]'),
    'box of negative width': (put('annotations', 3, 'bbox', [9, 9, -3, 3]), 'not negative'),
    'box not finite': (put('annotations', 3, 'bbox', [float('nan'), 0, 3, 3]), 'finite'),
    'box infinite': (put('annotations', 3, 'bbox', [0, 0, float('inf'), 3]), 'finite'),
    'box of text': (put('annotations', 3, 'bbox', '0 0 3 3'), 'four finite numbers'),
    'box with huge integer': (put('annotations', 3, 'bbox', [10**400, 0, 3, 3]), 'finite'),
    'annotation id 0': (put('annotations', 3, 'id', 0), 'an integer above 0, not 0'),
    'annotation id null': (put('annotations', 3, 'id', None), 'not null'),
    'image id twice': (same('images', 'id'), r"images\[0\] and images\[1\] have the same 'id', 1"),
    'category id twice': (same('categories', 'id'), r"categories\[0\] and categories\[1\] have the same 'id'"),
    'category name twice': (same('categories', 'name'), "have the same 'name', \"circle\""),
    'annotation id twice': (same('annotations', 'id'), r"annotations\[0\] and annotations\[1\] have the same 'id'"),
    'unknown image': (put('annotations', 3, 'image_id', 999), r"annotations\[3\] has the image_id 999, .* 'images'"),
    'unknown category': (put('annotations', 3, 'category_id', 6), "category_id 6, .* no entry in 'categories'"),
}

TEXTS = {
    'empty': ('', 'is not JSON'),
    'truncated': ('{"images": [', 'is not JSON'),
    'no JSON': ('<annotation/>', 'is not JSON'),
    'too deep': ('[' * 200000, 'is not JSON'),
    'list': ('[1, 2]', r'the keys images, categories and annotations, not \[1, 2\]'),
    'number': ('7', 'JSON object'),
}


def write(tmp_path, content):
    path = tmp_path / 'annotations.json'
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def assert_one_sentence(error, path):
    text = str(error.value)
    assert str(path) in text and text.endswith('.') and '\n' not in text


class TestCheck:

    def test_sound_file(self, tmp_path, content):
        assert check_coco_file(write(tmp_path, content)) == CLASSES

    @pytest.mark.parametrize('change', [
        replace('annotations', []), put('annotations', 0, 'bbox', [-3, -3.5, 500, 0]),
        put('annotations', 0, 'iscrowd', 1), put('images', 0, 'more', None), drop('annotations', 0, 'segmentation')
    ], ids=['no annotation', 'box sticks out', 'crowd', 'further field', 'no mask'])
    def test_allowed(self, tmp_path, content, change):
        change(content)
        check_coco_file(write(tmp_path, content))

    @pytest.mark.parametrize('change, words', BROKEN.values(), ids=BROKEN)
    def test_broken(self, tmp_path, content, change, words):
        change(content)
        path = write(tmp_path, content)
        with pytest.raises(ValueError, match=words) as error:
            check_coco_file(path)
        assert_one_sentence(error, path)

    @pytest.mark.parametrize('text, words', TEXTS.values(), ids=TEXTS)
    def test_no_coco_at_all(self, tmp_path, text, words):
        path = write(tmp_path, text)
        with pytest.raises(ValueError, match=words) as error:
            check_coco_file(path)
        assert_one_sentence(error, path)

    def test_binary(self, tmp_path):
        path = tmp_path / 'image.json'
        path.write_bytes(b'\xff\xd8\xff\xe0')
        with pytest.raises(ValueError, match='is not JSON') as error:
            check_coco_file(path)
        assert_one_sentence(error, path)

    def test_missing(self, tmp_path):
        path = tmp_path / 'annotations.json'
        with pytest.raises(FileNotFoundError, match='does not exist') as error:
            check_coco_file(path)
        assert_one_sentence(error, path)

    def test_folder(self, tmp_path):
        with pytest.raises(ValueError, match='is a folder') as error:
            check_coco_file(tmp_path)
        assert_one_sentence(error, tmp_path)

    def test_nothing_named(self):
        with pytest.raises(ValueError, match='no annotation file is named'):
            check_coco_file('')


class TestShapesCocoDataset:

    def test_loads_by_config(self, shapes_root, parameters):
        dataset = DATASETS.build(dict(
            type='nasbnn_det.ShapesCocoDataset', data_root=str(shapes_root),
            ann_file='annotations/instances_train.json', data_prefix=dict(img='train/'),
            filter_cfg=dict(filter_empty_gt=True), pipeline=[dict(type='nasbnn_det.LoadImage')]))
        assert isinstance(dataset, ShapesCocoDataset) and len(dataset) == parameters['num_train']
        assert dataset.metainfo['classes'] == CLASSES and len(dataset.metainfo['palette']) == len(CLASSES)
        sample = dataset[0]
        assert sample['img'].shape == (96, 96, 3) and sample['instances']
        labels = {item['bbox_label'] for info in map(dataset.get_data_info, range(60)) for item in info['instances']}
        assert labels == set(range(len(CLASSES)))

    def test_missing_set_names_the_command(self, tmp_path):
        root = tmp_path / 'data' / 'shapes_coco'
        with pytest.raises(FileNotFoundError) as error:
            ShapesCocoDataset(data_root=str(root), ann_file='annotations/instances_train.json')
        assert_one_sentence(error, root)
        assert f'python tools/dataset_converters/shapes_coco.py --out {root}' in str(error.value)

    def test_missing_set_without_root(self, tmp_path):
        with pytest.raises(FileNotFoundError, match='--out DATA_ROOT'):
            ShapesCocoDataset(ann_file=str(tmp_path / 'a.json'))

    def test_broken_file(self, tmp_path, content):
        del content['annotations'][0]['bbox']
        with pytest.raises(ValueError, match="lacks 'bbox'"):
            ShapesCocoDataset(ann_file=str(write(tmp_path, content)), data_prefix=PREFIX)


class TestCheckedCocoDataset:

    @staticmethod
    def build(tmp_path, content, classes, **options):
        path = write(tmp_path, content)
        return CheckedCocoDataset(ann_file=str(path), metainfo=dict(classes=classes), data_prefix=PREFIX, **options)

    def test_same_as_mmdet(self, tmp_path, content):
        checked = self.build(tmp_path, content, CLASSES)
        plain = CocoDataset(ann_file=str(tmp_path / 'annotations.json'), metainfo=dict(classes=CLASSES),
                            data_prefix=PREFIX)
        assert len(checked) == len(plain) == 20
        assert [checked.get_data_info(i) for i in range(20)] == [plain.get_data_info(i) for i in range(20)]

    def test_some_classes_in_the_order_of_the_file(self, tmp_path, content):
        dataset = self.build(tmp_path, content, ('square', 'star'))
        labels = {item['bbox_label'] for info in map(dataset.get_data_info, range(20)) for item in info['instances']}
        assert labels == {0, 1}

    @pytest.mark.parametrize('classes, words', [
        (('cat', 'dog'), r"classes \('cat', 'dog'\) .* categories \('circle', .*'cross'\) .* no name in common"),
        (('circle', 'dog'), r"must define every class, .* but lacks \('dog',\)"),
        (('star', 'square'), r"file's order and once each, which is \('square', 'star'\)"),
        (('square', 'square'), 'once each'), ('square', "tuple of class names, not 'square'"), ((), r'not \(\)'),
    ])
    def test_classes_do_not_fit(self, tmp_path, content, classes, words):
        with pytest.raises(ValueError, match=words):
            self.build(tmp_path, content, classes)

    def test_default_classes_are_those_of_coco(self, tmp_path, content):
        with pytest.raises(ValueError, match='no name in common'):
            CheckedCocoDataset(ann_file=str(write(tmp_path, content)), data_prefix=PREFIX)

    def test_image_folder_not_set(self, tmp_path, content):
        with pytest.raises(ValueError, match="under the key 'img'"):
            CheckedCocoDataset(ann_file=str(write(tmp_path, content)), metainfo=dict(classes=CLASSES))

    def test_filter_leaves_nothing(self, tmp_path, content):
        with pytest.raises(ValueError, match='none of the 20 images .*min_size'):
            self.build(tmp_path, content, CLASSES, filter_cfg=dict(min_size=1000))

    def test_missing(self, tmp_path):
        with pytest.raises(FileNotFoundError, match='none.json.* does not exist'):
            CheckedCocoDataset(data_root=str(tmp_path), ann_file='none.json', data_prefix=PREFIX)
