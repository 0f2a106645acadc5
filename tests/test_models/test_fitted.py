"""Detectors whose necks and heads take their channels, and their binarization, from one place."""
import copy

import pytest
import torch
from torch import nn

pytest.importorskip('mmdet')

from detectors import build, enter_mmdet  # noqa: E402
from mmengine.config import ConfigDict  # noqa: E402

from nasbnn_det.arch import SPACES, Arch  # noqa: E402
from nasbnn_det.binary import BinaryConv2d, QuantConv2d  # noqa: E402

SMALL, BIG = (make(SPACES['tiny']).to_dict() for make in (Arch.smallest, Arch.biggest))
NMS = dict(nms_pre=100, min_bbox_size=0, score_thr=0.0, nms=dict(type='nms', iou_threshold=0.5), max_per_img=10)


@pytest.fixture(scope='module', autouse=True)
def scope():
    enter_mmdet()


def config(**changes):
    """RTMDet in which no number of channels stands twice."""
    cfg = ConfigDict(
        type='nasbnn_det.BinaryRTMDet', backbone=dict(type='nasbnn_det.NASBNN', arch=SMALL, out_indices=(2, 3, 4)),
        neck=dict(type='nasbnn_det.BinaryPAFPN', out_channels=8),
        bbox_head=dict(type='nasbnn_det.BinaryRTMDetHead', num_classes=4, feat_channels=8, stacked_convs=1,
                       anchor_generator=dict(type='MlvlPointGenerator', offset=0, strides=[8, 16, 32]),
                       bbox_coder=dict(type='DistancePointBBoxCoder'), loss_bbox=dict(type='GIoULoss')),
        train_cfg=dict(assigner=dict(type='DynamicSoftLabelAssigner', topk=13), allowed_border=-1, pos_weight=-1),
        test_cfg=NMS, data_preprocessor=dict(type='DetDataPreprocessor', pad_size_divisor=32))
    for path, value in changes.items():
        part = cfg
        *way, key = path.split('__')
        for name in way:
            part = part[name]
        part[key] = value
    return cfg


@pytest.mark.parametrize('arch', [SMALL, BIG])
def test_an_architecture_is_named_once(arch):
    cfg = config(backbone__arch=arch, neck__out_channels=16)
    before = copy.deepcopy(cfg)
    net = build(cfg).eval()
    assert net.neck.in_channels == net.backbone.out_channels and net.bbox_head.in_channels == 16
    scores, _ = net(torch.zeros(1, 3, 64, 64))
    assert [s.shape[-1] for s in scores] == [8, 4, 2]
    assert cfg == before


def test_the_same_detector_as_with_numbers():
    """Weights and all, also as MMDetection's own class: parts are built in its order."""
    mine = build(config())
    channels = mine.backbone.out_channels
    stock = build(config(type='RTMDet', neck__in_channels=channels, bbox_head__in_channels=8))
    assert type(stock).__module__.startswith('mmdet.')
    own, theirs = mine.state_dict(), stock.state_dict()
    assert own.keys() == theirs.keys() and all(torch.equal(own[key], theirs[key]) for key in own)


def test_numbers_that_are_given_stay():
    net = build(config(neck__in_channels=(1, 2, 3), bbox_head__in_channels=5))
    assert net.neck.in_channels == (1, 2, 3) and net.bbox_head.in_channels == 5


def test_a_stock_neck():
    net = build(config(neck=dict(type='FPN', out_channels=8, num_outs=3)))
    assert tuple(net.neck.in_channels) == net.backbone.out_channels and net.bbox_head.in_channels == 8


def test_full_precision_by_one_option():
    net, counterpart = build(config(binarization='standardized')), build(config(binarization='float'))
    kinds = [{name: type(m) for name, m in n.named_modules() if isinstance(m, nn.Conv2d)} for n in (net, counterpart)]
    assert kinds[0].keys() == kinds[1].keys()
    real = {name for name, kind in kinds[0].items() if kind is QuantConv2d}
    assert {name.split('.')[0] for name in real} == {'backbone', 'bbox_head'}
    assert all(kind is BinaryConv2d for name, kind in kinds[0].items() if name not in real)
    # The stem keeps its 8-bit weights.
    assert {name for name, kind in kinds[1].items() if kind is not nn.Conv2d} == {'backbone.stem.conv'}
    with_own = build(config(binarization='float', bbox_head__quant_predictors=True))
    assert isinstance(with_own.bbox_head.rtm_cls[0], QuantConv2d)


STOCK = dict(type='ResNet', depth=18, base_channels=8, out_indices=(1, 2, 3), norm_cfg=dict(type='BN'))


@pytest.mark.parametrize('changes, words', [
    (dict(backbone=STOCK), r'model.neck.in_channels is not given, and the backbone \(ResNet\) does not say its channels'),
    (dict(neck=None, bbox_head__in_channels=None, backbone=STOCK), r'model.bbox_head.in_channels is not given'),
    (dict(binarization='half'), "binarization 'half' is unknown; allowed are"),
    (dict(binarization='float', neck=dict(type='FPN', out_channels=8, num_outs=3)),
     'model.neck is a FPN, which has no choice of binarization'),
    (dict(binarization='float', backbone=dict(type='nasbnn_det.ReActNet', out_indices=(2, 3, 4))),
     'model.backbone is a ReActNet, which has no choice of binarization'),
    (dict(backbone__out_indices=(4, 5)), 'stage 5 does not exist'),
])
def test_bad_input(changes, words):
    with pytest.raises(ValueError, match=words) as error:
        build(config(**changes))
    assert '\n' not in str(error.value)


def test_a_two_stage_detector():
    sampler = dict(type='RandomSampler', num=16, pos_fraction=0.5, neg_pos_ub=-1, add_gt_as_proposals=True)
    assigner = dict(type='MaxIoUAssigner', pos_iou_thr=0.5, neg_iou_thr=0.5, min_pos_iou=0.5)
    proposals = dict(nms_pre=50, max_per_img=20, nms=dict(type='nms', iou_threshold=0.7), min_bbox_size=0)
    net = build(dict(
        type='nasbnn_det.BinaryFasterRCNN', binarization='float',
        backbone=dict(type='nasbnn_det.NASBNN', arch=SMALL, out_indices=(2, 3, 4)),
        neck=dict(type='nasbnn_det.BinaryFPN', out_channels=24),
        rpn_head=dict(type='nasbnn_det.BinaryRPNHead', feat_channels=8),
        roi_head=dict(
            type='StandardRoIHead',
            bbox_roi_extractor=dict(type='SingleRoIExtractor', roi_layer=dict(type='RoIAlign', output_size=7),
                                    featmap_strides=[8, 16, 32]),
            bbox_head=dict(type='nasbnn_det.BinaryBBoxHead', num_classes=4)),
        train_cfg=dict(rpn=dict(assigner=assigner, sampler=sampler), rpn_proposal=proposals,
                       rcnn=dict(assigner=assigner, sampler=sampler)),
        test_cfg=dict(rpn=proposals, rcnn=dict(score_thr=0.0, nms=NMS['nms'], max_per_img=10))))
    assert net.rpn_head.in_channels == net.roi_head.bbox_head.in_channels == 24
    assert net.roi_head.bbox_roi_extractor.out_channels == 24
    assert not [m for m in net.modules() if isinstance(m, BinaryConv2d)]
