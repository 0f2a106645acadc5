"""Detectors whose parts do not fit each other or the data are refused before training, in one sentence."""
from pathlib import Path

import pytest
from detectors import build, enter_mmdet
from mmengine.config import Config
from mmengine.runner import Runner

pytest.importorskip('mmdet')

from nasbnn_det.arch import SPACES, Arch  # noqa: E402
from nasbnn_det.models.detector_checks import check_classes, check_levels  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
CONFIG = 'configs/detection/rtmdet/rtmdet_nasbnn-tiny_1xb16-8e_shapes-128.py'


@pytest.fixture(scope='module', autouse=True)
def scope():
    enter_mmdet()


def config(data_root='', work_dir=''):
    cfg = Config.fromfile(ROOT / CONFIG)
    cfg.work_dir = str(work_dir)
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        loader.dataset.data_root = str(data_root)
        loader.update(num_workers=0, persistent_workers=False, batch_size=2)
    cfg.val_evaluator.ann_file = cfg.test_evaluator.ann_file = f'{data_root}/annotations/instances_val.json'
    return cfg


CASES = {
    'classes': (dict(bbox_head=dict(num_classes=80)),
                r'model.bbox_head.num_classes is 80, but the data set has 5 classes \(.*\); both must be the same'),
    'fewer levels': (dict(backbone=dict(out_indices=(3, 4))),
                     r"the levels have the strides \[16, 32\], but the head's points or anchors \[8, 16, 32\]"),
    'other channels': (dict(neck=dict(in_channels=(64, 64, 64))),
                       r'the backbone gives 3 levels of \[128, 256, 384\] channels, but the neck \(BinaryPAFPN\) is built '
                       r'for \[64, 64, 64\]'),
    'head': (dict(bbox_head=dict(in_channels=32)),
             r'the neck gives 3 levels of \[96, 96, 96\] channels, but the head '),
    'strides': (dict(bbox_head=dict(anchor_generator=dict(strides=[16, 32, 64]))),
                r'the levels have the strides \[8, 16, 32\], but the head\'s points or anchors \[16, 32, 64\]'),
    'more levels': (dict(neck=dict(num_outs=4)), r'strides \[8, 16, 32, 64\]'),
    'levels far apart': (dict(backbone=dict(out_indices=(2, 4)),
                              bbox_head=dict(anchor_generator=dict(strides=[8, 32]))),
                         r"the neck \(BinaryPAFPN\) can't join levels of \[64, 16\] pixels"),
}


@pytest.mark.parametrize('case', list(CASES))
def test_refused_before_training(case, tiny_shapes, tmp_path):
    changes, words = CASES[case]
    cfg = config(tiny_shapes, tmp_path)
    cfg.merge_from_dict(dict(model=changes))
    runner = Runner.from_cfg(cfg)
    with pytest.raises(ValueError, match=words) as error:
        runner.train()
    assert '\n' not in str(error.value) and not list(tmp_path.glob('*.pth'))


def test_refused_before_evaluation(tiny_shapes, tmp_path):
    cfg = config(tiny_shapes, tmp_path)
    cfg.model.bbox_head.num_classes = 4
    with pytest.raises(ValueError, match='num_classes is 4, but the data set has 5'):
        Runner.from_cfg(cfg).test()


@pytest.mark.parametrize('indices, images', [(None, 4), (3, 3)])
def test_a_metric_without_a_file_scores_the_data_sets_own(indices, images, tiny_shapes, tmp_path):
    cfg = config(tiny_shapes, tmp_path)
    del cfg.test_evaluator['ann_file']
    cfg.test_dataloader.dataset.indices = indices
    runner = Runner.from_cfg(cfg)
    own = runner.test()
    metric, = runner.test_loop.evaluator.metrics
    assert metric._coco_api is runner.test_loop.dataloader.dataset.annotations and len(metric.img_ids) == images
    if indices is None:
        cfg.test_evaluator.ann_file = f'{tiny_shapes}/annotations/instances_val.json'
        assert Runner.from_cfg(cfg).test().keys() == own.keys()


def test_what_fits_passes():
    net = build(config().model)
    net.train()
    check_levels(net)
    check_classes(net, 'abcde')
    check_classes(net, ())
    assert all(m.training for m in net.modules())


@pytest.mark.parametrize('changes', [dict(space='imagenet'), dict(space='cifar')])
def test_an_architecture_of_another_space(changes, tmp_path):
    cfg = config()
    file = tmp_path / 'arch.json'
    file.write_text(Arch.smallest(SPACES['tiny']).to_json())
    cfg.model.backbone.update(arch=str(file), **changes)
    with pytest.raises(ValueError, match="belongs to the search space 'tiny', but this backbone takes those of "
                       f"'{changes['space']}' alone"):
        build(cfg.model)
    cfg.model.backbone.space = 'tiny'
    build(cfg.model)
