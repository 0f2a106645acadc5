"""Training on very small sets: images without objects, rare classes, one class, fewer images than a batch."""
import json
from pathlib import Path

import pytest

pytest.importorskip('mmdet')

import torch  # noqa: E402
from detectors import enter_mmdet  # noqa: E402
from mmengine.config import Config  # noqa: E402

from nasbnn_det.registry import DATASETS  # noqa: E402
from nasbnn_det.visualization.run_log import read_run  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
DETECTOR = 'configs/detection/rtmdet/rtmdet_nasbnn-tiny_1xb16-8e_shapes-128.py'
PHOTOGRAPHS = 'configs/detection/rtmdet/rtmdet_nasbnn-small_1xb8-30e_own-320.py'


@pytest.fixture(scope='module')
def shapes(tmp_path_factory):
    """50 training images and 6 for validation; copy what is to be changed."""
    from nasbnn_det.datasets.shapes import write_shapes_coco
    root = tmp_path_factory.mktemp('fifty') / 'set'
    write_shapes_coco(root, num_train=50, num_val=6, image_size=64, num_cls_train=5, num_cls_val=5, cls_size=48)
    return root


def changed(shapes, folder, change):
    """The same images with other annotations: ``change`` gets both files' contents by split."""
    contents = {split: json.loads((shapes / 'annotations' / f'instances_{split}.json').read_text())
                for split in ('train', 'val')}
    change(contents)
    for split, content in contents.items():
        path = folder / 'annotations' / f'instances_{split}.json'
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))
        (folder / split).symlink_to(shapes / split)
    return folder


def one_image_with_objects(contents):
    """Six training images, of which the first has objects."""
    content = contents['train']
    content['images'] = content['images'][:6]
    content['annotations'] = [a for a in content['annotations'] if a['image_id'] == content['images'][0]['id']]


def train(run_tool, root, work_dir, *options):
    """Trains the small detector and gives its log."""
    content = json.loads((root / 'annotations' / 'instances_train.json').read_text())
    classes = ','.join(category['name'] for category in content['categories'])
    kind = [f'{name}_dataloader.dataset.{key}' for name in ('train', 'val') for key in (
        'type=nasbnn_det.CheckedCocoDataset', f'metainfo.classes="({classes},)"')]
    done = run_tool(
        'tools/train.py', DETECTOR, '--work-dir', work_dir, '--data-root', root, '--cfg-options', *kind,
        f'model.bbox_head.num_classes={len(content["categories"])}', 'train_dataloader.num_workers=0',
        'val_dataloader.num_workers=0', 'train_cfg.val_interval=1', 'default_hooks.logger.interval=1',
        'log_processor.window_size=1', 'default_hooks.checkpoint.interval=9', *options)
    return done, read_run(work_dir)


def test_images_without_objects_are_kept_unless_unwanted(shapes, tmp_path):
    root = changed(shapes, tmp_path, one_image_with_objects)
    enter_mmdet()
    for config in (DETECTOR, PHOTOGRAPHS):
        cfg = Config.fromfile(config).train_dataloader.dataset
        classes = tuple(c['name'] for c in json.loads((root / cfg.ann_file).read_text())['categories'])
        cfg.update(type='nasbnn_det.CheckedCocoDataset', data_root=str(root), metainfo=dict(classes=classes))
        assert len(DATASETS.build(cfg)) == 6
        cfg.filter_cfg = dict(filter_empty_gt=True)
        assert len(DATASETS.build(cfg)) == 1


@pytest.mark.slow
def test_batches_without_a_single_object_train(shapes, tmp_path, run_tool):
    done, log = train(run_tool, changed(shapes, tmp_path / 'set', one_image_with_objects), tmp_path / 'work',
                      'train_dataloader.batch_size=2', 'train_cfg.max_epochs=2')
    assert done.returncode == 0, done.stderr
    boxes = [row['loss_bbox'] for row in log.train]
    # Two of an epoch's three batches have no object.
    assert len(boxes) == 6 and sorted(boxes)[:4] == [0.0] * 4 and sorted(boxes)[4] > 0
    assert all(torch.isfinite(torch.tensor(row['loss'])) for row in log.train) and len(log.val) == 2


@pytest.mark.slow
def test_a_class_of_three_boxes_that_validation_lacks(shapes, tmp_path, run_tool):
    def rare(contents):
        for split, most in (('train', 3), ('val', 0)):
            content = contents[split]
            last = content['categories'][-1]['id']
            found = [a for a in content['annotations'] if a['category_id'] == last]
            assert len(found) > most
            dropped = {a['id'] for a in found[most:]}
            content['annotations'] = [a for a in content['annotations'] if a['id'] not in dropped]

    root = changed(shapes, tmp_path / 'set', rare)
    done, log = train(run_tool, root, tmp_path / 'work', 'train_cfg.max_epochs=1', 'val_evaluator.classwise=True')
    assert done.returncode == 0, done.stderr
    # The mean is over the other classes; this one has no number.
    name = json.loads((root / 'annotations' / 'instances_val.json').read_text())['categories'][-1]['name']
    row, = log.val
    others = [value for key, value in row.items() if key.endswith('_precision') and name not in key]
    assert row[f'coco/{name}_precision'] != row[f'coco/{name}_precision']
    assert row['coco/bbox_mAP'] == pytest.approx(sum(others) / len(others), abs=1e-9) and len(others) == 4


@pytest.mark.slow
def test_one_class_only(shapes, tmp_path, run_tool):
    def one_class(contents):
        for content in contents.values():
            content['categories'] = [dict(id=1, name='thing')]
            for annotation in content['annotations']:
                annotation['category_id'] = 1

    done, log = train(run_tool, changed(shapes, tmp_path / 'set', one_class), tmp_path / 'work', 'train_cfg.max_epochs=1')
    assert done.returncode == 0, done.stderr
    assert log.val[0]['coco/bbox_mAP'] >= 0 and all(row['loss_cls'] > 0 for row in log.train)


@pytest.mark.slow
def test_a_batch_larger_than_the_set(shapes, tmp_path, run_tool):
    done, log = train(run_tool, shapes, tmp_path / 'work', 'train_dataloader.batch_size=64', 'train_cfg.max_epochs=2')
    assert done.returncode == 0, done.stderr
    assert [row['step'] for row in log.train] == [1, 2] and len(log.val) == 2


def test_nothing_left_of_the_set_is_told_in_one_line(shapes, tmp_path, run_tool):
    done, log = train(run_tool, shapes, tmp_path / 'work', 'train_dataloader.batch_size=64',
                      'train_dataloader.drop_last=True')
    errors = [line for line in done.stderr.splitlines() if line.startswith('error: ')]
    assert done.returncode == 1 and len(errors) == 1, done.stderr
    assert all(words in errors[0] for words in ('50', 'batch of 64', 'drop_last=False'))
    assert not log.train


@pytest.mark.slow
def test_early_stopping_keeps_the_best_checkpoint(shapes, tmp_path, run_tool):
    config = tmp_path / 'mine.py'
    config.write_text(f"""
_base_ = '{ROOT / DETECTOR}'
train_cfg = dict(max_epochs=9, val_interval=1)
train_dataloader = dict(num_workers=0)
val_dataloader = dict(num_workers=0)
default_hooks = dict(checkpoint=dict(save_best='coco/bbox_mAP'))
custom_hooks = [*_base_.custom_hooks,
                dict(type='EarlyStoppingHook', monitor='coco/bbox_mAP', min_delta=2, patience=2)]
""")
    done = run_tool('tools/train.py', config, '--work-dir', tmp_path / 'work', '--data-root', shapes)
    assert done.returncode == 0, done.stderr
    scores = read_run(tmp_path / 'work').curve('coco/bbox_mAP')
    # No mAP is two above the first, and two validations are waited for.
    assert list(scores) == [1, 2, 3]
    best = max(scores, key=lambda epoch: scores[epoch])
    assert (tmp_path / 'work' / f'best_coco_bbox_mAP_epoch_{best}.pth').is_file()
