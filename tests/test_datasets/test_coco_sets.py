"""Broken COCO files are refused in one clear sentence, sound ones load."""
import copy
import json
import pickle

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasbnn_det.datasets import read_coco_file
from nasbnn_det.datasets.coco_schema import _FIELDS, _first_misfit
from nasbnn_det.datasets.shapes import CLASSES

pytest.importorskip('mmdet')

from detectors import enter_mmdet  # noqa: E402
from mmdet.datasets import CocoDataset  # noqa: E402
from mmengine.fileio import LocalBackend  # noqa: E402
from mmengine.fileio.backends.registry_utils import backends as file_backends  # noqa: E402
from mmengine.logging import MMLogger  # noqa: E402

from nasbnn_det.datasets.checked_coco import CheckedCocoDataset  # noqa: E402
from nasbnn_det.datasets.coco_annotations import read_annotations  # noqa: E402
from nasbnn_det.datasets.shapes_coco import ShapesCocoDataset  # noqa: E402
from nasbnn_det.evaluation.fast_coco_metric import FastCocoMetric  # noqa: E402
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
    'no categories': (lambda content: content.pop('categories'), "lacks the key 'categories'"),
    'images no list': (replace('images', {}), "'images' must be a list, not {}"),
    'images empty': (replace('images', []), "'images' is empty"),
    'categories empty': (replace('categories', []), "'categories' is empty"),
    'entry no object': (replace('annotations', [3]), r'annotations\[0\] must be an object .* not 3'),
    'image without name': (drop('images', 2, 'file_name'), r"images\[2\] lacks 'file_name'; needed are id, file_name"),
    'image without width': (drop('images', 0, 'width'), "lacks 'width'"),
    'image of no height': (put('images', 1, 'height', 0), r"'height' of images\[1\] must be a positive .* not 0"),
    'image id a string': (put('images', 1, 'id', '1'), r"'id' of images\[1\] must be an integer of 64 bits, not \"1\""),
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
    'annotation id too large': (put('annotations', 3, 'id', 2**63), 'an integer of 64 bits'),
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


def relative_boxes(content, every):
    """Divides every so many boxes by the images' size; returns how many these are."""
    changed = content['annotations'][::every]
    for annotation in changed:
        annotation['bbox'] = [value / 96 for value in annotation['bbox']]
    return len(changed)


def assert_one_sentence(error, path):
    text = str(error.value)
    assert str(path) in text and text.endswith('.') and '\n' not in text


class TestCheck:

    def test_sound_file(self, tmp_path, content):
        assert read_coco_file(write(tmp_path, content)) == content

    @pytest.mark.parametrize('change', [
        replace('annotations', []), put('annotations', 0, 'bbox', [-3, -3.5, 500, 0]),
        put('annotations', 0, 'iscrowd', 1), put('images', 0, 'more', None), drop('annotations', 0, 'segmentation'),
        put('annotations', 3, 'id', 0), lambda content: content.pop('annotations')
    ], ids=['no annotation', 'box sticks out', 'crowd', 'further field', 'no mask', 'annotation id 0', 'no key'])
    def test_allowed(self, tmp_path, content, change):
        change(content)
        assert read_coco_file(write(tmp_path, content)) == {'annotations': [], **content}

    @pytest.mark.parametrize('change, words', BROKEN.values(), ids=BROKEN)
    def test_broken(self, tmp_path, content, change, words):
        change(content)
        path = write(tmp_path, content)
        with pytest.raises(ValueError, match=words) as error:
            read_coco_file(path)
        assert_one_sentence(error, path)

    @pytest.mark.parametrize('text, words', TEXTS.values(), ids=TEXTS)
    def test_no_coco_at_all(self, tmp_path, text, words):
        path = write(tmp_path, text)
        with pytest.raises(ValueError, match=words) as error:
            read_coco_file(path)
        assert_one_sentence(error, path)

    def test_binary(self, tmp_path):
        path = tmp_path / 'image.json'
        path.write_bytes(b'\xff\xd8\xff\xe0')
        with pytest.raises(ValueError, match='is not JSON') as error:
            read_coco_file(path)
        assert_one_sentence(error, path)

    def test_missing(self, tmp_path):
        path = tmp_path / 'annotations.json'
        with pytest.raises(FileNotFoundError, match='does not exist') as error:
            read_coco_file(path)
        assert_one_sentence(error, path)

    def test_folder(self, tmp_path):
        with pytest.raises(ValueError, match='is a folder') as error:
            read_coco_file(tmp_path)
        assert_one_sentence(error, tmp_path)

    def test_nothing_named(self):
        with pytest.raises(ValueError, match='no annotation file is named'):
            read_coco_file('')


class TestConverters:
    """Habits of programs that write COCO files."""

    def test_byte_order_mark(self, tmp_path, content, val_text):
        path = tmp_path / 'annotations.json'
        path.write_bytes(b'\xef\xbb\xbf' + val_text.encode())
        assert read_coco_file(path) == content

    def test_area_0_becomes_that_of_the_box(self, tmp_path, content):
        areas = [annotation['bbox'][2] * annotation['bbox'][3] for annotation in content['annotations']]
        for annotation in content['annotations']:
            annotation['area'] = 0
        read = read_coco_file(write(tmp_path, content))
        assert [annotation['area'] for annotation in read['annotations']] == areas

    @pytest.mark.parametrize('names', [('pets', 'cat', 'dog'), ('cat', 'cat', 'dog')], ids=['other name', 'same name'])
    def test_root_category(self, tmp_path, content, names):
        root, *others = (dict(id=i, name=name, supercategory='none' if i == 0 else names[0])
                         for i, name in enumerate(names))
        content['categories'] = [root, *others]
        for annotation in content['annotations']:
            annotation['category_id'] = 1 + annotation['category_id'] % 2
        read = read_coco_file(write(tmp_path, content))
        assert read['categories'] == (others if names[0] == 'cat' else [root, *others])
        content['annotations'][0]['category_id'] = 0
        path = write(tmp_path, content)
        if names[0] == 'cat':
            with pytest.raises(ValueError, match="have the same 'name'"):
                read_coco_file(path)
        else:
            read_coco_file(path)


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=2),
                    lambda part: st.lists(part, max_size=5) | st.dictionaries(st.text(max_size=1), part, max_size=2),
                    max_leaves=5)


@given(st.lists(JSON | st.lists(st.floats() | st.integers(-1, 3), min_size=4, max_size=4) | st.integers(-1, 2), max_size=6))
def test_columns_fit_where_each_value_fits(values):
    kinds = {kind for fields in _FIELDS.values() for kind in fields.values()}
    for kind in kinds:
        fits = [kind.fit([value]) for value in values]
        assert kind.fit(values) == all(fits)
        if not all(fits):
            assert _first_misfit(values, kind.fit) == fits.index(False)


class TestSharing:

    def test_one_object_as_long_as_it_is_held(self, tmp_path, content):
        path = write(tmp_path, content)
        held = read_annotations(str(path))
        assert read_annotations(str(tmp_path / '.' / 'annotations.json')) is held
        content['annotations'].pop()
        write(tmp_path, content)
        assert len(read_annotations(str(path)).anns) == len(held.anns) - 1

    def test_metric_and_data_set_read_a_file_once(self, tmp_path, content):
        path = write(tmp_path, content)
        dataset = CheckedCocoDataset(ann_file=str(path), metainfo=dict(classes=CLASSES), data_prefix=PREFIX, test_mode=True)
        assert FastCocoMetric(ann_file=str(path))._coco_api is dataset.annotations
        assert copy.deepcopy(dataset.annotations) is dataset.annotations
        assert pickle.loads(pickle.dumps(dataset)).annotations is None
        training = CheckedCocoDataset(ann_file=str(path), metainfo=dict(classes=CLASSES), data_prefix=PREFIX)
        assert training.annotations is None


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

    @pytest.mark.parametrize('change', [
        dict(iscrowd=1), dict(ignore=1), dict(category_id=1)], ids=['crowds', 'ignored', 'another class'])
    def test_nothing_to_train_on(self, tmp_path, content, change):
        classes = CLASSES[1:] if 'category_id' in change else CLASSES
        for annotation in content['annotations'][1:]:
            annotation.update(change)
        content['annotations'][0].update(category_id=2)
        self.build(tmp_path, content, classes)
        content['annotations'][0].update(change)
        with pytest.raises(ValueError, match='has no object of the classes.*nothing to train on'):
            self.build(tmp_path, content, classes)
        self.build(tmp_path, content, classes, test_mode=True)

    def test_images_listed_again_are_told(self, tmp_path, content, caplog):
        logger = MMLogger.get_instance('repeated')
        logger.addHandler(caplog.handler)
        content['images'] += [dict(content['images'][0], id=1000), dict(content['images'][0], id=1001)]
        self.build(tmp_path, content, CLASSES)
        name = content['images'][0]['file_name']
        said, = [record.getMessage() for record in caplog.records if 'listed again' in record.getMessage()]
        assert said.startswith('2 images') and f"{name}' (3 times)" in said

    def test_image_folder_not_set(self, tmp_path, content):
        with pytest.raises(ValueError, match="under the key 'img'"):
            CheckedCocoDataset(ann_file=str(write(tmp_path, content)), metainfo=dict(classes=CLASSES))

    def test_filter_leaves_nothing(self, tmp_path, content):
        with pytest.raises(ValueError, match='none of the 20 images .*min_size'):
            self.build(tmp_path, content, CLASSES, filter_cfg=dict(min_size=1000))

    def test_annotations_are_needed_for_training_alone(self, tmp_path, content):
        content['annotations'] = []
        assert len(self.build(tmp_path, content, CLASSES, test_mode=True)) == 20
        with pytest.raises(ValueError, match='has no object of the classes.*there is nothing to train on'):
            self.build(tmp_path, content, CLASSES)

    @pytest.mark.parametrize('test_mode', [False, True])
    def test_boxes_from_0_to_1(self, tmp_path, content, test_mode):
        boxes = relative_boxes(content, 1)
        with pytest.raises(ValueError, match=f'has {boxes} boxes of the classes, and every one is narrower'):
            self.build(tmp_path, content, CLASSES, test_mode=test_mode)

    def test_some_boxes_from_0_to_1(self, tmp_path, content, caplog):
        boxes = relative_boxes(content, 3)
        logger = MMLogger.get_current_instance()
        logger.addHandler(caplog.handler)
        try:
            self.build(tmp_path, content, CLASSES)
        finally:
            logger.removeHandler(caplog.handler)
        warning, = (record for record in caplog.records if record.levelname == 'WARNING')
        assert warning.getMessage().startswith(f'{boxes} of {len(content["annotations"])} boxes of annotation file')

    @pytest.mark.parametrize('pack', [[], [dict(type='PackDetInputs')]], ids=['dict', 'packed'])
    def test_images_of_another_size(self, shapes_root, tmp_path, content, pack):
        pipeline = [dict(type='LoadImageFromFile'), *pack]
        options = dict(data_root=str(shapes_root), metainfo=dict(classes=CLASSES), data_prefix=PREFIX, pipeline=pipeline)
        enter_mmdet()
        assert CheckedCocoDataset(ann_file=str(write(tmp_path, content)), **options)[0]
        content['images'][0]['width'] = 95
        path = write(tmp_path, content)
        with pytest.raises(ValueError, match=f"is 96 x 96 pixels, but annotation file '{path}' says 95 x 96"):
            CheckedCocoDataset(ann_file=str(path), **options)[0]

    def test_an_image_of_which_nothing_is_left_is_named(self, tmp_path, content):
        content['images'][0].update(width=1000, height=1)
        (tmp_path / 'val').mkdir()
        image = tmp_path / 'val' / content['images'][0]['file_name']
        cv2.imwrite(str(image), np.zeros((1, 1000, 3), np.uint8))
        enter_mmdet()
        dataset = self.build(tmp_path, content, CLASSES, data_root=str(tmp_path), pipeline=[
            dict(type='LoadImageFromFile'), dict(type='Resize', scale=(64, 64), keep_ratio=True)])
        with pytest.raises(ValueError, match=f"image '{image}' of 1000 x 1 pixels can't be prepared"):
            dataset[0]

    def test_an_image_is_looked_at_again_where_the_pipeline_found_it(self, tmp_path, content, monkeypatch):
        """A fault of a transform is not taken for a missing image because the image is in another store."""

        class Store(LocalBackend):

            def get(self, filepath):
                return super().get(str(filepath).replace('elsewhere', str(tmp_path)))

        monkeypatch.setitem(file_backends, 'store', Store)
        cv2.imwrite(str(tmp_path / content['images'][0]['file_name']), np.zeros((96, 96, 3), np.uint8))
        enter_mmdet()

        def fault(results):
            raise RuntimeError('a fault')

        dataset = CheckedCocoDataset(
            ann_file=str(write(tmp_path, content)), metainfo=dict(classes=CLASSES), data_prefix=dict(img='elsewhere/'),
            pipeline=[dict(type='LoadImageFromFile', backend_args=dict(backend='store')), fault])
        with pytest.raises(RuntimeError, match='a fault'):
            dataset[0]
        with pytest.raises(FileNotFoundError, match='image .* does not exist'):
            dataset[1]

    def test_missing(self, tmp_path):
        with pytest.raises(FileNotFoundError, match='none.json.* does not exist'):
            CheckedCocoDataset(data_root=str(tmp_path), ann_file='none.json', data_prefix=PREFIX)
