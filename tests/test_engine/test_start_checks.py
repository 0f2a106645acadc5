"""What a training compares before its first step: classes, batches, the checkpoint that it begins from."""
import json

import cv2
import numpy as np
import pytest
import torch
from mmpretrain.datasets import CustomDataset

from nasbnn_det.datasets.class_names import check_same_places
from nasbnn_det.engine.start_checks import check_labels

SUPERNET = 'configs/supernet/nasbnn-supernet-small_1xb128-14e_imagefolder-64.py'
DETECTOR = 'configs/detection/rtmdet/rtmdet_nasbnn-tiny_1xb16-8e_shapes-128.py'


def images_by_class(root, names):
    """A data set of an image a class, as MMPretrain reads a folder."""
    for name in names:
        (root / name).mkdir(parents=True)
        cv2.imwrite(str(root / name / '0.png'), np.zeros((8, 8, 3), np.uint8))
    return CustomDataset(data_root=str(root))


@pytest.mark.parametrize('trained, validated, model, words', [
    ('abc', 'abc', dict(num_classes=3), None),
    ('abc', 'abc', dict(head=dict(num_classes=3)), None),
    ('abc', 'ab', dict(num_classes=3), None),
    ('abc', 'abc', dict(), None),
    ('abc', 'bc', dict(num_classes=3), "class 'b' has label 1 in the training set and label 0 in the validation set"),
    (['.ipynb_checkpoints', 'a', 'b'], 'ab', dict(num_classes=3), "class 'a' has label 1 in the training set and label 0"),
    ('ab', 'abc', dict(num_classes=2), r'num_classes is 2, but the validation images have 3 classes \(a, b, c, ...\)'),
    ('abc', 'abc', dict(num_classes=2), 'num_classes is 2, but the training images have 3 classes'),
    ('abc', 'abc', dict(head=dict(num_classes=4)), 'num_classes is 4, but the training images have 3 classes')])
def test_labels_are_the_same_everywhere(trained, validated, model, words, tmp_path):
    sets = [images_by_class(tmp_path / part, names) for part, names in (('train', trained), ('val', validated))]
    if words is None:
        check_labels(model, *sets)
        check_labels(model, sets[0], None)
    else:
        with pytest.raises(ValueError, match=words):
            check_labels(model, *sets)


def test_other_names_may_differ():
    check_same_places(('motorbike', 'cat'), ('motorcycle', 'cat', 'dog'), 'one', 'the other')
    check_same_places(('a', ), (), 'one', 'the other')
    with pytest.raises(ValueError, match="class 'dog' has label 0 in one and label 1 in the other"):
        check_same_places(('dog', 'cat'), ('cat', 'dog'), 'one', 'the other')


def options(root, *more):
    loaders = [f'{part}_dataloader.{key}' for part in ('train', 'val', 'test') for key in (
        f'dataset.data_root={root}', 'num_workers=0', 'batch_size=2')]
    evaluators = [f'{part}_evaluator.ann_file={root}/annotations/instances_val.json' for part in ('val', 'test')]
    return ['--cfg-options', *loaders, *evaluators, 'train_cfg.max_epochs=1', *more]


def refused(done):
    """The sentence that a tool ended with."""
    assert done.returncode == 1 and 'Traceback' not in done.stderr, done.stderr
    said, = [line for line in done.stderr.splitlines() if line.startswith('error: ')]
    return said


def test_fewer_images_than_a_batch(tiny_shapes, tmp_path, run_tool):
    data = [f'{part}_dataloader.{key}' for part in ('train', 'val') for key in (
        f'dataset.data_root={tiny_shapes}/cls', 'num_workers=0')]
    done = run_tool('tools/train.py', SUPERNET, '--work-dir', tmp_path, '--cfg-options', *data, 'model.num_classes=5',
                    'model.data_preprocessor.num_classes=5', 'train_dataloader.batch_size=11')
    assert 'the training set has 10 images, which are less than a batch of 11' in refused(done)


@pytest.fixture(scope='module')
def checkpoint(tiny_shapes, tmp_path_factory, run_tool):
    """Of a training of an epoch."""
    folder = tmp_path_factory.mktemp('trained')
    done = run_tool('tools/train.py', DETECTOR, '--work-dir', folder, *options(tiny_shapes))
    assert done.returncode == 0, done.stderr
    return folder / 'epoch_1.pth'


def test_the_file_of_an_evaluator_is_compared_before_the_training(tiny_shapes, tmp_path, run_tool):
    file = tmp_path / 'other.json'
    content = json.loads((tiny_shapes / 'annotations' / 'instances_val.json').read_text())
    content['images'][0]['file_name'] = 'other.jpg'
    file.write_text(json.dumps(content))
    done = run_tool('tools/train.py', DETECTOR, '--work-dir', tmp_path / 'run', *options(tiny_shapes),
                    f'val_evaluator.ann_file={file}')
    assert "'000000.jpg' and 'other.jpg' in the data set's" in refused(done) and 'Epoch(train)' not in done.stdout


def test_a_checkpoint_that_can_not_be_read(checkpoint, tiny_shapes, tmp_path, run_tool):
    cut = tmp_path / 'cut.pth'
    cut.write_bytes(checkpoint.read_bytes()[:10000])
    for flags, more in ((['--resume', cut], []), ([], [f'load_from={cut}'])):
        done = run_tool('tools/train.py', DETECTOR, '--work-dir', tmp_path / 'run', *flags, *options(tiny_shapes, *more))
        assert f"'{cut}' is no readable checkpoint" in refused(done)


def test_a_training_is_resumed_from_its_own_network_alone(checkpoint, tiny_shapes, tmp_path, run_tool):
    """MMEngine would begin with new weights in the head, and say so in the log alone."""
    content = torch.load(checkpoint, weights_only=True)
    weights = content['state_dict']
    weights.update({key: value[:3] for key, value in weights.items() if key.startswith('bbox_head.rtm_cls') and value.dim()
                    and len(value) == 5})
    torch.save(content, tmp_path / 'other.pth')
    done = run_tool('tools/train.py', DETECTOR, '--work-dir', tmp_path / 'run', '--resume', tmp_path / 'other.pth',
                    *options(tiny_shapes))
    assert 'has wrong keys for this network' in refused(done)


def test_classes_of_a_checkpoint_and_of_a_test_set_are_compared(checkpoint, tiny_shapes, tmp_path, run_tool):
    content = torch.load(checkpoint, weights_only=True)
    meta = content['meta']['dataset_meta']
    meta['classes'] = tuple(reversed(meta['classes']))
    torch.save(content, tmp_path / 'other.pth')
    done = run_tool('tools/test.py', DETECTOR, tmp_path / 'other.pth', '--work-dir', tmp_path / 'run', *options(tiny_shapes))
    assert f"class 'cross' has label 0 in {tmp_path / 'other.pth'} and label 4 in the test set" in refused(done)
