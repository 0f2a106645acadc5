"""Validation images taken from the training ones."""
import math

import pytest
from detection_sources import convert, write_data_yaml

from nasbnn_det.datasets.converters import LabelledImage, LabelledSet, split_validation
from nasbnn_det.datasets.converters.labelled import Box


def made_set(classes):
    """A training split without files: the classes of each image."""
    images = [LabelledImage(path, (9, 9), [Box(name, (0.0, 0.0, 5.0, 5.0)) for name in names])
              for path, names in classes.items()]
    return LabelledSet(tuple(sorted({name for names in classes.values() for name in names})), dict(train=images))


def test_the_split_is_by_class_and_by_seed(tmp_path):
    classes = {tmp_path / f'{i:02}.jpg': ['often'] * (i % 3 > 0) + ['rare'] * (i in (3, 4, 5)) + ['pair'] * (i in (6, 7))
               for i in range(40)}
    for seed in range(20):
        split = split_validation(made_set(classes), 0.2, seed).splits
        counts = {side: [name for image in images for name in {box.name for box in image.boxes} or {''}]
                  for side, images in split.items()}
        assert {image.path for images in split.values() for image in images} == set(classes)
        assert abs(len(split['val']) - 8) <= 1 and len(split['train']) + len(split['val']) == 40
        for name, in_val in (('often', (4, 7)), ('rare', (1, 2)), ('pair', (1, 1)), ('', (1, 4))):
            assert in_val[0] <= counts['val'].count(name) <= in_val[1], (seed, name)
            assert name in counts['train']
    again = [[image.path for image in split_validation(made_set(classes), 0.2, seed).splits['val']] for seed in (0, 0, 1)]
    assert again[0] == again[1] != again[2]


def test_a_class_of_one_image_is_trained_on_and_classes_that_share_images_are_on_both_sides(tmp_path):
    classes = {tmp_path / 'a.jpg': ['x', 'y', 'single'], tmp_path / 'b.jpg': ['x', 'y'], tmp_path / 'c.jpg': ['z'],
               tmp_path / 'd.jpg': ['z']}
    for seed in range(10):
        split = split_validation(made_set(classes), 0.25, seed).splits
        names = {side: {box.name for image in images for box in image.boxes} for side, images in split.items()}
        assert names == dict(train={'x', 'y', 'z', 'single'}, val={'x', 'y', 'z'})


def test_few_images_are_split_too(tmp_path):
    for classes, in_both in (((['x', 'y'], ['x', 'z']), {'x'}), ((['x'], ['y', 'z']), set())):
        images = {tmp_path / f'{i}.jpg': names for i, names in enumerate(classes)}
        for seed in range(5):
            split = split_validation(made_set(images), 0.1, seed).splits
            names = {side: {box.name for image in images for box in image.boxes} for side, images in split.items()}
            assert names['train'] & names['val'] == in_both and len(split['train']) == len(split['val']) == 1
    assert names == dict(train={'y', 'z'}, val={'x'})


def test_copies_of_one_image_stay_together(tmp_path):
    classes = {tmp_path / f'{i}_jpg.rf.{copy}{copy}.jpg': ['x'] for i in range(10) for copy in 'abc'}
    split = split_validation(made_set(classes), 0.3).splits
    sides = {side: {image.path.name[0] for image in images} for side, images in split.items()}
    assert len(sides['val']) == 3 and not sides['val'] & sides['train']


@pytest.mark.parametrize('fraction', [0.0, 1.0, math.nan])
def test_a_split_of_nothing_is_refused(fraction, tmp_path):
    with pytest.raises(ValueError, match='above 0 and below 1'):
        split_validation(made_set({tmp_path / 'a.jpg': ['x']}), fraction)


def test_what_can_not_be_split_is_refused(tmp_path):
    with pytest.raises(ValueError, match='1 training images'):
        split_validation(made_set({tmp_path / 'a.jpg': ['x']}), 0.5)
    with pytest.raises(ValueError, match='a validation split already'):
        split_validation(convert('yolo', write_data_yaml(tmp_path)), 0.5)
