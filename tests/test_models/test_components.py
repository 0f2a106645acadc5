"""Binary necks, heads and the second stage: shapes, what is binary, training and prediction in MMDetection."""
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

pytest.importorskip('mmdet')

from detectors import CLASSES, build, enter_mmdet, predict_step, train_step  # noqa: E402

from nasbnn_det.arch import SPACES, Arch  # noqa: E402
from nasbnn_det.binary import BinaryConv2d, QuantConv2d  # noqa: E402
from nasbnn_det.registry import MODELS  # noqa: E402

ARCH = Arch.smallest(SPACES['tiny']).to_dict()
WIDTH = 8
DELTAS = dict(type='DeltaXYWHBBoxCoder', target_means=[0.] * 4, target_stds=[1.] * 4)


@pytest.fixture(scope='module', autouse=True)
def scope():
    enter_mmdet()


def neck_cfg(kind, binarization, **kwargs):
    return dict(type=f'nasbnn_det.{kind}', binarization=binarization, **kwargs)


def assigners(**kwargs):
    return dict(assigner=dict(type='MaxIoUAssigner', ignore_iof_thr=-1, **kwargs), sampler=dict(type='PseudoSampler'),
                allowed_border=-1, pos_weight=-1, debug=False)


NMS = dict(nms_pre=100, min_bbox_size=0, score_thr=0.0, nms=dict(type='nms', iou_threshold=0.5), max_per_img=10)


def retinanet(binarization, quant):
    head = dict(
        type='nasbnn_det.BinaryRetinaHead', num_classes=CLASSES, feat_channels=WIDTH,
        stacked_convs=2, bbox_coder=DELTAS, binarization=binarization, quant_predictors=quant)
    return dict(
        type='nasbnn_det.BinaryRetinaNet', bbox_head=head,
        neck=neck_cfg('BinaryFPN', binarization, out_channels=WIDTH, num_outs=5),
        train_cfg=assigners(pos_iou_thr=0.5, neg_iou_thr=0.4, min_pos_iou=0), test_cfg=NMS), (2, 3, 4)


def fcos(binarization, quant):
    head = dict(
        type='nasbnn_det.BinaryFCOSHead', num_classes=CLASSES, feat_channels=WIDTH, stacked_convs=1,
        strides=[8, 16, 32, 64], regress_ranges=((-1, 16), (16, 32), (32, 64), (64, 1e8)), norm_on_bbox=True,
        centerness_on_reg=True, loss_bbox=dict(type='GIoULoss', loss_weight=1.0), binarization=binarization,
        quant_predictors=quant)
    return dict(type='nasbnn_det.BinaryFCOS', neck=neck_cfg('BinaryPAFPN', binarization, out_channels=WIDTH, num_outs=4),
                bbox_head=head, train_cfg=None, test_cfg=NMS), (2, 3, 4)


def ssd(binarization, quant):
    extra = (16, 8)
    anchors = dict(type='SSDAnchorGenerator', scale_major=False, strides=[16, 32, 64, 128], ratios=[[2]] * 4,
                   min_sizes=[8, 16, 32, 48], max_sizes=[16, 32, 48, 64])
    head = dict(
        type='nasbnn_det.BinarySSDHead', num_classes=CLASSES, stacked_convs=1, feat_channels=WIDTH,
        anchor_generator=anchors,
        bbox_coder=DELTAS, binarization=binarization, quant_predictors=quant)
    return dict(
        type='nasbnn_det.BinarySSD', bbox_head=head,
        neck=neck_cfg('BinarySSDNeck', binarization, extra_channels=extra),
        train_cfg=dict(**assigners(pos_iou_thr=0.5, neg_iou_thr=0.5, min_pos_iou=0., gt_max_assign_all=False),
                       smoothl1_beta=1., neg_pos_ratio=3), test_cfg=NMS), (3, 4)


def faster_rcnn(binarization, quant):
    kinds = dict(binarization=binarization, quant_predictors=quant)
    rpn = dict(type='nasbnn_det.BinaryRPNHead', feat_channels=WIDTH, num_convs=2, bbox_coder=DELTAS,
               anchor_generator=dict(type='AnchorGenerator', scales=[2], ratios=[0.5, 1.0], strides=[8, 16, 32]),
               **kinds)
    box = dict(type='nasbnn_det.BinaryBBoxHead', conv_out_channels=16, num_classes=CLASSES,
               bbox_coder=DELTAS, **kinds)
    extractor = dict(type='SingleRoIExtractor', roi_layer=dict(type='RoIAlign', output_size=7, sampling_ratio=2),
                     featmap_strides=[8, 16, 32])
    sampler = dict(type='RandomSampler', num=16, pos_fraction=0.5, neg_pos_ub=-1, add_gt_as_proposals=True)
    proposals = dict(nms_pre=50, max_per_img=20, nms=dict(type='nms', iou_threshold=0.7), min_bbox_size=0)
    return dict(
        type='nasbnn_det.BinaryFasterRCNN', neck=neck_cfg('BinaryFPN', binarization, out_channels=WIDTH), rpn_head=rpn,
        roi_head=dict(type='StandardRoIHead', bbox_roi_extractor=extractor, bbox_head=box),
        train_cfg=dict(rpn=assigners(pos_iou_thr=0.7, neg_iou_thr=0.3, min_pos_iou=0.3), rpn_proposal=proposals,
                       rcnn=dict(assigners(pos_iou_thr=0.5, neg_iou_thr=0.5, min_pos_iou=0.5), sampler=sampler)),
        test_cfg=dict(rpn=proposals, rcnn=dict(score_thr=0.0, nms=NMS['nms'], max_per_img=10))), (2, 3, 4)


def detector(make, binarization='standardized', quant=True):
    cfg, out_indices = make(binarization, quant)
    cfg['data_preprocessor'] = dict(type='DetDataPreprocessor', mean=[127.5] * 3, std=[127.5] * 3, pad_size_divisor=32)
    cfg['backbone'] = dict(type='nasbnn_det.NASBNN', arch=ARCH, out_indices=out_indices, binarization=binarization)
    return build(cfg)


@pytest.mark.parametrize('make', [retinanet, fcos, ssd, faster_rcnn])
@pytest.mark.parametrize('binarization', ['standardized', 'float'])
def test_trains_and_predicts(make, binarization):
    net = detector(make, binarization)
    before = {k: v.clone() for k, v in net.named_parameters()}
    _, without_gradient = train_step(net)
    assert not without_gradient
    # Not all: a level without a box has a gradient of zero.
    assert sum(not torch.equal(v, before[k]) for k, v in net.named_parameters()) > len(before) / 2
    assert all(len(found) <= 10 for found in predict_step(net))


@pytest.mark.parametrize('make', [retinanet, fcos, ssd, faster_rcnn])
@pytest.mark.parametrize('quant, kind', [(True, QuantConv2d), (False, nn.Conv2d)])
def test_everything_but_stem_and_predictors_is_binary(make, quant, kind):
    net = detector(make, quant=quant)
    kinds = {name: type(m) for name, m in net.named_modules() if isinstance(m, (nn.Conv2d, nn.Linear))}
    real = {name for name, k in kinds.items() if k is not BinaryConv2d} - {'backbone.stem.conv'}
    predictors = {name for name in real if any(word in name for word in ('cls', 'reg', 'centerness'))}
    assert real == predictors and all(kinds[name] is kind for name in real)
    twin = detector(make, 'float', quant)
    assert not any(isinstance(m, BinaryConv2d) for m in twin.modules())
    assert sum(isinstance(m, nn.Conv2d) for m in twin.modules()) == len(kinds)


@pytest.mark.parametrize('make', [retinanet, fcos, faster_rcnn])
def test_levels_share_convolutions_and_nothing_else(make):
    net = detector(make)
    head = net.rpn_head if make is faster_rcnn else net.bbox_head
    lists = [head.towers] if make is faster_rcnn else [head.cls_towers, head.reg_towers]
    for towers in lists:
        for bricks in zip(*towers):
            assert len({id(b.conv) for b in bricks}) == 1
            assert len({id(b.bn) for b in bricks}) == len({id(b.act) for b in bricks}) == len(towers)


def test_a_region_proposal_network_without_a_tower():
    cfg, _ = faster_rcnn('standardized', True)
    head = build(dict(cfg['rpn_head'], in_channels=WIDTH, num_convs=0, feat_channels=2 * WIDTH))
    logits, deltas = head([torch.randn(1, WIDTH, s, s) for s in (8, 4, 2)])
    assert [x.shape[1:] for x in logits] == [(2, s, s) for s in (8, 4, 2)] and deltas[0].shape == (1, 8, 8, 8)


@pytest.mark.parametrize('make', [retinanet, fcos])
def test_scores_start_at_their_prior(make):
    head = detector(make).eval().bbox_head
    torch.manual_seed(0)
    sizes = [8 // 2**i or 1 for i in range(head.prior_generator.num_levels)]
    scores = head([torch.randn(1, WIDTH, size, size) for size in sizes])[0]
    assert all(s.sigmoid().median().item() == pytest.approx(0.01, rel=0.3) for s in scores)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=4), st.integers(1, 9), st.integers(0, 3), st.integers(17, 40),
       st.integers(17, 40), st.sampled_from(('BinaryFPN', 'BinaryPAFPN')))
def test_necks_of_any_number_of_levels_and_sizes(channels, width, extra, height, widest, kind):
    neck = MODELS.build(dict(type=f'nasbnn_det.{kind}', in_channels=channels, out_channels=width,
                             num_outs=len(channels) + extra)).eval()
    sizes = [(-(-height // 2**i), -(-widest // 2**i)) for i in range(len(channels) + extra)]
    outs = neck([torch.randn(2, c, *size) for c, size in zip(channels, sizes)])
    assert [o.shape for o in outs] == [(2, width, *size) for size in sizes]
    convs = [m for m in neck.modules() if isinstance(m, nn.Conv2d)]
    assert all(type(c) is BinaryConv2d and c.kernel_size == (3, 3) for c in convs)
    sum(o.square().sum() for o in outs).backward()
    assert all(p.grad is not None for p in neck.parameters())


def test_fpn_goes_top_down():
    torch.manual_seed(0)
    neck = MODELS.build(dict(type='nasbnn_det.BinaryFPN', in_channels=(4, 4, 4), out_channels=8)).eval()
    inputs = [torch.randn(1, 4, 16 // 2**i, 16 // 2**i) for i in range(3)]
    before = neck(inputs)
    for i in range(3):
        after = neck([x + 3.0 * (k == i) for k, x in enumerate(inputs)])
        assert [torch.equal(a, b) for a, b in zip(before, after)] == [k > i for k in range(3)]


@pytest.mark.parametrize('channels, extra', [((4, ), (8, 6)), ((4, 8), (6, )), ((4, 8), ())])
def test_ssd_neck(channels, extra):
    neck = MODELS.build(dict(type='nasbnn_det.BinarySSDNeck', in_channels=channels, extra_channels=extra))
    assert neck.out_channels == channels + extra
    inputs = [torch.randn(2, c, -(-19 // 2**i), -(-13 // 2**i)) for i, c in enumerate(channels)]
    outs = neck(inputs)
    assert [o.shape for o in outs] == [(2, c, -(-19 // 2**i), -(-13 // 2**i)) for i, c in enumerate(channels + extra)]
    assert all(a is b for a, b in zip(inputs, outs))


@pytest.mark.parametrize('convs, agnostic, size', [(0, False, 7), (1, True, 7), (2, True, 7), (3, False, 5)])
def test_box_head(convs, agnostic, size):
    head = MODELS.build(dict(type='nasbnn_det.BinaryBBoxHead', in_channels=6, conv_out_channels=10, num_convs=convs,
                             num_classes=5, roi_feat_size=size, reg_class_agnostic=agnostic))
    scores, deltas = head(torch.randn(3, 6, size, size))
    assert scores.shape == (3, 6) and deltas.shape == (3, 4 if agnostic else 20)
    scores, deltas = head(torch.randn(0, 6, size, size))
    assert scores.shape == (0, 6)


@pytest.mark.parametrize('cfg, words', [
    (dict(type='nasbnn_det.BinaryFPN', in_channels=(), out_channels=4), 'in_channels is empty'),
    (dict(type='nasbnn_det.BinarySSDNeck', in_channels=(), extra_channels=(4, )), 'in_channels is empty'),
    (dict(type='nasbnn_det.BinaryFPN', in_channels=dict(arch='a.json')), "in_channels of BinaryFPN is {'arch': 'a.json'}"),
    (dict(type='nasbnn_det.BinaryPAFPN', in_channels=3), 'in_channels of BinaryPAFPN is 3; allowed is a list'),
    (dict(type='nasbnn_det.BinarySSDNeck', in_channels=(4, 0), extra_channels=(4, )), 'in_channels of BinarySSDNeck is'),
    (dict(type='nasbnn_det.BinaryFPN', in_channels=(4, 4), out_channels=4, num_outs=1), 'at least 2 are allowed'),
    (dict(type='nasbnn_det.BinaryFPN', in_channels=(4, ), out_channels=4, binarization='half'), "'half' is unknown"),
    (dict(type='nasbnn_det.BinaryFCOSHead', num_classes=2, in_channels=4, dcn_on_last_conv=True), 'no deformable'),
    (dict(type='nasbnn_det.BinarySSDHead', num_classes=2, in_channels=(4, 4), anchor_generator=dict(
        type='AnchorGenerator', scales=[8], ratios=[1.0], strides=[8])), '2 levels in in_channels and 1'),
])
def test_bad_arguments(cfg, words):
    with pytest.raises(ValueError, match=words):
        MODELS.build(cfg)


@pytest.mark.parametrize('kind, extra', [
    ('BinaryFPN', dict(out_channels=4)), ('BinarySSDNeck', dict(extra_channels=(4, )))])
@pytest.mark.parametrize('channels', [(8, 4), (4, ), (4, 8, 8)])
def test_other_inputs_are_refused(kind, extra, channels):
    neck = MODELS.build(dict(type=f'nasbnn_det.{kind}', in_channels=(4, 8), **extra))
    with pytest.raises(ValueError) as error:
        neck([torch.randn(1, c, 8 // 2**i, 8 // 2**i) for i, c in enumerate(channels)])
    assert f'{kind} was built for levels of (4, 8) channels and got {channels}' in str(error.value)
