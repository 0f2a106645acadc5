"""Distillation from the full-binarization twin."""
import copy
from pathlib import Path

import pytest
import torch
from mmengine.config import Config, ConfigDict

pytest.importorskip('mmdet')

from detectors import CLASSES, batch, build, enter_mmdet, predict_step, train_step  # noqa: E402

from nasbnn_det.arch import SPACES, Arch  # noqa: E402

BASE = Path(__file__).resolve().parents[2] / 'configs' / '_base_' / 'models' / 'rtmdet_nasbnn.py'
ARCH = Arch.smallest(SPACES['tiny']).to_dict()


@pytest.fixture(scope='module', autouse=True)
def scope():
    enter_mmdet()


def plain(binarization='standardized'):
    cfg = copy.deepcopy(Config.fromfile(BASE).model)
    out_indices = (2, 3, 4)
    cfg.backbone.update(arch=ARCH, out_indices=out_indices, binarization=binarization)
    cfg.neck.update(out_channels=8, binarization=binarization)
    cfg.bbox_head.update(num_classes=CLASSES, feat_channels=8, binarization=binarization)
    return cfg


@pytest.fixture(scope='module')
def teacher(tmp_path_factory):
    """Config and checkpoint of a teacher that has found something."""
    cfg = plain('float')
    net = build(cfg)
    for layer in net.bbox_head.rtm_cls:
        torch.nn.init.normal_(layer.weight, std=0.5)
        torch.nn.init.constant_(layer.bias, -1)
    file = tmp_path_factory.mktemp('teacher') / 'teacher.pth'
    torch.save(dict(state_dict=net.state_dict(), meta={}), file)
    return dict(model=cfg), file, net


def distilled(teacher, binarization='standardized', **kwargs):
    cfg = plain(binarization)
    cfg.update(type='nasbnn_det.DistilledSingleStageDetector', teacher_config=teacher[0], teacher_ckpt=str(teacher[1]),
               **kwargs)
    return build(cfg)


def losses(net):
    data = net.data_preprocessor(batch(), training=True)
    return net(**data, mode='loss')


def test_trains_and_predicts(teacher):
    net = distilled(teacher)
    logs, without_gradient = train_step(net)
    assert {'loss_cls', 'loss_bbox', 'loss_distill_cls', 'loss_distill_bbox'} <= set(logs) and not without_gradient
    predict_step(net)


def test_the_normaliser_is_that_of_all_processes(teacher, monkeypatch):
    """As those of MMDetection's losses: a process with few objects weighs no more than others."""
    net = distilled(teacher)
    alone = losses(net)
    monkeypatch.setattr('nasbnn_det.models.detectors.distilled.reduce_mean', lambda total: 4 * total)
    for name in ('loss_distill_cls', 'loss_distill_bbox'):
        assert losses(net)[name].item() == pytest.approx(alone[name].item() / 4, rel=1e-5) and alone[name] > 0


def test_own_losses_are_those_without_distillation(teacher):
    net, plain_net = distilled(teacher), build(plain())
    net.load_state_dict(plain_net.state_dict())
    own, alone = losses(net), losses(plain_net)
    assert alone and set(alone) < set(own)
    for name, values in alone.items():
        torch.testing.assert_close(own[name], values)


def test_a_student_that_agrees_loses_nothing(teacher):
    net = distilled(teacher, 'float')
    net.load_state_dict(teacher[2].state_dict())
    found = losses(net.eval())
    assert found['loss_distill_cls'].item() == pytest.approx(0, abs=1e-6)
    assert found['loss_distill_bbox'].item() == pytest.approx(0, abs=1e-5)


def test_the_student_comes_nearer_to_the_teacher(teacher):
    net = distilled(teacher).train()
    adam = torch.optim.AdamW(net.parameters(), 3e-3)
    values = []
    for _ in range(12):
        found = losses(net)
        value = found['loss_distill_cls'] + found['loss_distill_bbox']
        adam.zero_grad()
        value.backward()
        adam.step()
        values.append(value.item())
    assert values[-1] < 0.8 * values[0]


def test_weights(teacher):
    one = losses(distilled(teacher))
    two = losses(distilled(teacher, cls_weight=2.0, bbox_weight=0.0))
    torch.testing.assert_close(two['loss_distill_cls'], 2 * one['loss_distill_cls'])
    assert two['loss_distill_bbox'].item() == 0 < one['loss_distill_bbox'].item()


def test_the_teacher_is_not_part_of_the_detector(teacher):
    net, alone = distilled(teacher), build(plain())
    assert set(net.state_dict()) == set(alone.state_dict())
    assert not {id(p) for p in net.teacher_model.parameters()} & {id(p) for p in net.parameters()}
    before = copy.deepcopy(net.teacher_model.state_dict())
    train_step(net)
    assert net.training and not net.teacher_model.training
    assert all(torch.equal(v, before[k]) for k, v in net.teacher_model.state_dict().items())
    assert all(torch.equal(v, teacher[2].state_dict()[k]) for k, v in before.items())


def test_an_anchor_head(tmp_path):
    def retinanet(binarization):
        cfg = plain(binarization)
        cfg.type = 'nasbnn_det.BinaryRetinaNet'
        cfg.bbox_head = dict(
            type='nasbnn_det.BinaryRetinaHead', num_classes=CLASSES, feat_channels=8, stacked_convs=1,
            anchor_generator=dict(type='AnchorGenerator', scales=[2], ratios=[0.5, 1.0], strides=[8, 16, 32]),
            binarization=binarization)
        cfg.train_cfg = dict(
            assigner=dict(type='MaxIoUAssigner', pos_iou_thr=0.5, neg_iou_thr=0.4, min_pos_iou=0, ignore_iof_thr=-1),
            sampler=dict(type='PseudoSampler'), allowed_border=-1, pos_weight=-1, debug=False)
        return cfg

    torch.save(dict(state_dict=build(retinanet('float')).state_dict()), tmp_path / 'teacher.pth')
    cfg = retinanet('standardized')
    cfg.update(type='nasbnn_det.DistilledSingleStageDetector', teacher_config=dict(model=retinanet('float')),
               teacher_ckpt=str(tmp_path / 'teacher.pth'))
    logs, _ = train_step(build(cfg))
    assert logs['loss_distill_bbox'] > 0


@pytest.mark.parametrize('case', ['classes', 'strides', 'wrong keys', 'no file'])
def test_teachers_that_do_not_fit(case, teacher, tmp_path):
    model, file = copy.deepcopy(teacher[0]['model']), teacher[1]
    words = {'classes': 'the teacher has classes 7 and the detector 4', 'strides': 'the teacher has strides',
             'wrong keys': "wrong keys for this network: .* allowed is a checkpoint of the teacher's config",
             'no file': 'does not exist'}[case]
    if case == 'classes':
        model.bbox_head.num_classes = 7
    elif case == 'strides':
        model.bbox_head.anchor_generator.strides = [4, 8, 16]
    elif case == 'wrong keys':
        model.neck.out_channels = model.bbox_head.in_channels = 16
    else:
        file = tmp_path / 'none.pth'
    with pytest.raises((ValueError, FileNotFoundError), match=words):
        distilled((dict(model=model), file))


def test_heads_that_cannot_be_distilled(teacher):
    cfg = plain()
    cfg.update(type='nasbnn_det.DistilledSingleStageDetector', teacher_config=teacher[0], teacher_ckpt=str(teacher[1]))
    cfg.bbox_head.loss_cls = ConfigDict(type='CrossEntropyLoss', use_sigmoid=False)
    with pytest.raises(ValueError, match="BinaryRTMDetHead can't be distilled: its scores must be independent"):
        build(cfg)
    cfg = dict(teacher[0], model=copy.deepcopy(teacher[0]['model']))
    cfg['model'].data_preprocessor.update(mean=[0.] * 3)
    with pytest.raises(ValueError, match="the teacher's data_preprocessor makes other values .* set both alike"):
        distilled((cfg, teacher[1]))


def test_an_average_of_the_weights_has_the_same_teacher(teacher):
    from mmengine.model import ExponentialMovingAverage
    net = distilled(teacher)
    average = ExponentialMovingAverage(net, momentum=0.25, update_buffers=True)
    train_step(net)
    average.update_parameters(net)  # the first time, a copy
    before = copy.deepcopy(net.state_dict())
    train_step(net)
    average.update_parameters(net)
    assert average.module.teacher_model is net.teacher_model
    assert set(average.module.state_dict()) == set(before)
    for name, value in average.module.state_dict().items():
        after = net.state_dict()[name]
        if value.is_floating_point():
            # MMEngine averages what levels share once for each of its names.
            names = sum(v.data_ptr() == after.data_ptr() for v in net.state_dict().values())
            torch.testing.assert_close(value, after + 0.75**names * (before[name] - after), msg=name)
        elif not name.endswith('num_batches_tracked'):  # what the network is: the same for ever
            assert torch.equal(value, before[name]) and torch.equal(value, after), name
    assert not torch.equal(before['backbone.stem.conv.weight'], net.state_dict()['backbone.stem.conv.weight'])
    assert all(torch.equal(v, teacher[2].state_dict()[k]) for k, v in net.teacher_model.state_dict().items())
    predict_step(average.module)


def test_a_copy_has_the_same_teacher(teacher):
    net = distilled(teacher)
    copied = copy.deepcopy(net)
    assert copied.teacher_model is net.teacher_model and copied.backbone is not net.backbone
    assert all(torch.equal(a, b) for a, b in zip(copied.state_dict().values(), net.state_dict().values()))
