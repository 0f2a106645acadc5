"""Learning rates by what a parameter is: stock heads, own heads, classifiers and supernets, with no name in a config."""
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, OPTIM_WRAPPER_CONSTRUCTORS, init_default_scope
from torch import nn

pytest.importorskip('mmdet')

from detectors import enter_mmdet  # noqa: E402

from nasbnn_det.binary import BinaryConv2d, BinaryConvModule, QuantConv2d  # noqa: E402
from nasbnn_det.engine.optim import BinaryOptimWrapperConstructor, parameter_groups  # noqa: E402
from nasbnn_det.supernet import Supernet  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
BINARY = dict(conv_cfg=dict(type='nasbnn_det.BinaryConv2d'), norm_cfg=dict(type='BN'))


@pytest.fixture(scope='module', autouse=True)
def scope():
    enter_mmdet()


def groups_of(model):
    """Names of the parameters in each group, a shared one by its first."""
    groups, found = parameter_groups(model), {}
    for name, parameter in model.named_parameters():
        found.setdefault(groups[id(parameter)], []).append(name)
    return found


def multipliers(model, optimizer='AdamW', **paramwise):
    """Rate and decay of each parameter, for a base of 1 and 1."""
    cfg = dict(optimizer=dict(type=optimizer, lr=1.0, weight_decay=1.0))
    optimizer = BinaryOptimWrapperConstructor(cfg, paramwise)(model).optimizer
    names = {id(p): name for name, p in model.named_parameters()}
    return {names[id(p)]: (row['lr'], row['weight_decay']) for row in optimizer.param_groups for p in row['params']}


class OwnHead(nn.Module):
    """A head as a user writes it: binary bricks, a plain convolution with a norm, predictors of any name."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(BinaryConvModule(8, 8), BinaryConvModule(8, 8))
        self.squeeze = nn.ModuleDict(dict(layer=nn.Conv2d(8, 8, 1), norm=nn.BatchNorm2d(8)))
        self.score = nn.Sequential(nn.Conv2d(8, 8, 1), nn.ReLU(), nn.Conv2d(8, 3, 1))
        self.which_cls = QuantConv2d(8, 3, 1)
        self.where = nn.Linear(8, 4)


def test_own_head():
    found = groups_of(nn.ModuleDict(dict(backbone=BinaryConvModule(3, 8), my_head=OwnHead())))
    assert found['latent'] == ['backbone.conv.weight', 'my_head.body.0.conv.weight', 'my_head.body.1.conv.weight']
    assert found['class_predictors'] == ['my_head.which_cls.weight', 'my_head.which_cls.bias']
    assert found['box_predictors'] == ['my_head.score.2.weight', 'my_head.score.2.bias', 'my_head.where.weight',
                                       'my_head.where.bias']
    assert found['steps'] == ['my_head.which_cls.step']
    assert found['weights'] == ['my_head.squeeze.layer.weight', 'my_head.score.0.weight']
    assert {'backbone.conv.sign.bias', 'backbone.bn.weight', 'my_head.squeeze.layer.bias'} <= set(found['rest'])


# Expected are the predictors' names without their last part.
HEADS = {
    'rtmdet': (dict(type='nasbnn_det.BinaryRTMDetHead', in_channels=8, feat_channels=8, stacked_convs=1,
                    anchor_generator=dict(type='MlvlPointGenerator', offset=0, strides=[8, 16])),
               {'rtm_cls.0', 'rtm_cls.1'}, {'rtm_reg.0', 'rtm_reg.1'}),
    'stock rtmdet': (dict(type='RTMDetHead', in_channels=8, feat_channels=8, stacked_convs=1, with_objectness=False,
                          anchor_generator=dict(type='MlvlPointGenerator', offset=0, strides=[8]),
                          act_cfg=dict(type='nasbnn_det.RPReLU'), **BINARY), {'rtm_cls'}, {'rtm_reg'}),
    'stock retinanet': (dict(type='RetinaHead', in_channels=8, feat_channels=8, stacked_convs=1, **BINARY),
                        {'retina_cls'}, {'retina_reg'}),
    'stock atss': (dict(type='ATSSHead', in_channels=8, feat_channels=8, stacked_convs=1, **BINARY),
                   {'atss_cls'}, {'atss_reg', 'atss_centerness'}),
    'fcos': (dict(type='nasbnn_det.BinaryFCOSHead', in_channels=8, feat_channels=8, stacked_convs=1, strides=[8],
                  regress_ranges=((-1, 1e8), )), {'conv_cls'}, {'conv_reg', 'conv_centerness'}),
    'ssd': (dict(type='nasbnn_det.BinarySSDHead', in_channels=(8, ), stacked_convs=1, feat_channels=8,
                 anchor_generator=dict(type='SSDAnchorGenerator', scale_major=False, strides=[8], ratios=[[2]],
                                       min_sizes=[8], max_sizes=[16])), {'cls_convs.0.1'}, {'reg_convs.0.1'}),
    'rpn': (dict(type='nasbnn_det.BinaryRPNHead', in_channels=8, feat_channels=8), {'rpn_cls'}, {'rpn_reg'}),
    'boxes of proposals': (dict(type='nasbnn_det.BinaryBBoxHead', in_channels=8, conv_out_channels=8),
                           {'fc_cls'}, {'fc_reg'}),
    'stock boxes of proposals': (dict(type='Shared4Conv1FCBBoxHead', in_channels=8, conv_out_channels=8,
                                      fc_out_channels=8, **BINARY), {'fc_cls'}, {'shared_fcs.0', 'fc_reg'}),
}


@pytest.mark.parametrize('case', list(HEADS))
def test_heads(case):
    cfg, classes, boxes = HEADS[case]
    with torch.device('meta'):
        head = MODELS.build(cfg if case == 'rpn' else dict(cfg, num_classes=4))
    found = groups_of(nn.ModuleDict(dict(bbox_head=head)))

    def layers(group):
        return {name.removeprefix('bbox_head.').rpartition('.')[0] for name in found[group]}

    assert layers('class_predictors') == classes and layers('box_predictors') == boxes
    latent = {name for name, module in head.named_modules() if isinstance(module, BinaryConv2d)}
    assert layers('latent') == latent and latent
    assert 'weights' not in found


def test_a_full_precision_head_has_the_same_predictors():
    cfg, classes, _ = HEADS['rtmdet']
    found = groups_of(nn.ModuleDict(dict(bbox_head=MODELS.build(dict(cfg, num_classes=4, binarization='float')))))
    assert {name.split('.', 1)[1].rpartition('.')[0] for name in found['class_predictors']} == classes
    assert 'latent' not in found and all('towers' in name for name in found['weights'])


def test_supernet():
    with torch.device('meta'):
        found = groups_of(Supernet('tiny', 5))
    assert found['class_predictors'] == ['fc.weight', 'fc.bias'] and found['weights'] == ['stem.conv.weight']
    assert found['steps'] == ['stem.conv.step']
    assert all(name.endswith('conv.weight') for name in found['latent'])
    assert not [name for name in found['rest'] if name.endswith('conv.weight')]


def test_multipliers_and_who_wins():
    model = nn.ModuleDict(dict(backbone=BinaryConvModule(3, 8), my_head=OwnHead()))
    found = multipliers(
        model, bias_decay_mult=0.5, custom_keys=dict(where=dict(lr_mult=7.0)),
        groups=dict(latent=dict(lr_mult=3.0), class_predictors=dict(lr_mult=0.1, decay_mult=0.1),
                    box_predictors=dict(lr_mult=0.3), rest=dict(decay_mult=0.0)))
    assert found['backbone.conv.weight'] == (3.0, 1.0)
    assert found['my_head.which_cls.weight'] == (0.1, 0.1) and found['my_head.which_cls.bias'] == (0.1, 0.05)
    assert found['my_head.which_cls.step'] == (1 / 128, 1.0)
    assert found['my_head.where.weight'] == (7.0, 1.0) and found['my_head.score.2.weight'] == (0.3, 1.0)
    assert found['backbone.bn.weight'] == (1.0, 0.0)
    steps = [multipliers(model, optimizer, groups=groups)['my_head.which_cls.step'] for optimizer, groups in [
        ('Adam', dict(steps=dict(decay_mult=0.0))), ('Adam', dict(steps=dict(lr_mult=0.5))), ('SGD', {})]]
    assert steps == [(1 / 128, 0.0), (0.5, 1.0), (1.0, 1.0)]


@pytest.mark.parametrize('groups', [dict(heads=dict(lr_mult=1.0)), dict(latent=dict(lr=1.0))])
def test_unknown_groups_are_refused(groups):
    with pytest.raises(ValueError, match='allowed are the groups latent, steps, class_predictors'):
        BinaryOptimWrapperConstructor(dict(optimizer=dict(type='Adam', lr=1.0)), dict(groups=groups))


#: Rates of the shipped recipes, as multiples of the base rate, by the beginning of the name; of steps 1 / 128, else 1.
RATES = {
    'detection/rtmdet/rtmdet_nasbnn-tiny_*-8e_shapes-128*.py': {'bbox_head.rtm_cls': 0.1, 'bbox_head.rtm_reg': 0.3},
    'detection/ssd/ssd_nasbnn-57m_*_coco-320*.py': {'bbox_head.cls_convs': 0.1, 'bbox_head.reg_convs': 0.3},
    'detection/faster_rcnn/faster*rcnn_nasbnn-tiny_*_coco-tiny-train-320*.py': {
        'rpn_head.rpn_cls': 0.1, 'rpn_head.rpn_reg': 0.3, 'roi_head.bbox_head.fc_cls': 0.3,
        'roi_head.bbox_head.fc_reg': 0.3},
    'supernet/nasbnn-supernet-tiny_*_shapes-48*.py': {'supernet.fc': 0.1, 'supernet.stem.conv.step': 1.0},
    'nasb/nasb-plain-*.py': {'head.fc': 0.1},
}


@pytest.mark.parametrize('pattern', list(RATES))
def test_rates_of_shipped_recipes(pattern):
    path, = (ROOT / 'configs').glob(pattern)
    cfg = Config.fromfile(path)
    init_default_scope(cfg.default_scope)
    with torch.device('meta'):
        model = MODELS.build(cfg.model)
    cfg.optim_wrapper.optimizer.pop('fused', None)
    constructor = dict(type=cfg.optim_wrapper.pop('constructor'),
                       paramwise_cfg=cfg.optim_wrapper.pop('paramwise_cfg'), optim_wrapper_cfg=cfg.optim_wrapper)
    optimizer = OPTIM_WRAPPER_CONSTRUCTORS.build(constructor)(model).optimizer
    rates = {id(p): row['lr'] / optimizer.defaults['lr'] for row in optimizer.param_groups for p in row['params']}
    for name, parameter in model.named_parameters():
        slow = [rate for part, rate in RATES[pattern].items() if name.startswith(f'{part}.')]
        # A predictor's step is a step.
        wanted = RATES[pattern].get(name, 1 / 128) if name.endswith('.step') else slow[0] if slow else 1.0
        assert rates[id(parameter)] == pytest.approx(wanted), name
    init_default_scope('mmdet')
