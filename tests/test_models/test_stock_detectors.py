"""The light way in: conv_cfg, norm_cfg and act_cfg make the neck or the head of MMDetection's own detectors binary."""
import pytest
import torch
from torch import nn

pytest.importorskip('mmdet')

from detectors import CLASSES, build, enter_mmdet, predict_step, train_step  # noqa: E402
from mmengine.config import Config, ConfigDict  # noqa: E402

from nasbnn_det.binary import BinaryConv2d, RPReLU  # noqa: E402
from nasbnn_det.models.detector_checks import check_binarized, check_conv_cfg, check_levels  # noqa: E402

BINARY = dict(conv_cfg=dict(type='nasbnn_det.BinaryConv2d'), norm_cfg=dict(type='BN'))
ACT = dict(act_cfg=dict(type='nasbnn_det.RPReLU'))
#: A small backbone in place of the stock one; what is tested is the rest.
RESNET = dict(type='ResNet', depth=18, base_channels=8, out_indices=(0, 1, 2, 3), norm_cfg=dict(type='BN'))
CHANNELS = [8, 16, 32, 64]

#: Per detector: the shipped config, what becomes binary, and other settings that make it small.
STOCK = {
    'retinanet': ('retinanet/retinanet_r50_fpn_1x_coco.py', dict(neck={**BINARY, **ACT}, bbox_head=BINARY)),
    'fcos': ('fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py', dict(neck={**BINARY, **ACT}, bbox_head=BINARY)),
    'atss': ('atss/atss_r50_fpn_1x_coco.py', dict(neck={**BINARY, **ACT}, bbox_head=BINARY)),
    'gfl': ('gfl/gfl_r50_fpn_1x_coco.py', dict(neck={**BINARY, **ACT}, bbox_head=BINARY)),
    'foveabox': ('foveabox/fovea_r50_fpn_4xb4-1x_coco.py', dict(neck={**BINARY, **ACT}, bbox_head=BINARY)),
    'rtmdet': ('rtmdet/rtmdet_tiny_8xb32-300e_coco.py', dict(neck={**BINARY, **ACT}, bbox_head={**BINARY, **ACT})),
    'yolox': ('yolox/yolox_tiny_8xb8-300e_coco.py', dict(neck={**BINARY, **ACT}, bbox_head={**BINARY, **ACT})),
    'ssd': ('ssd/ssd300_coco.py', dict(neck={**BINARY, **ACT})),
    'faster_rcnn': ('faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py', dict(neck={**BINARY, **ACT})),
    'cascade_rcnn': ('cascade_rcnn/cascade-rcnn_r50_fpn_1x_coco.py', dict(neck={**BINARY, **ACT})),
    'centernet': ('centernet/centernet-update_r50-caffe_fpn_ms-1x_coco.py', dict(neck={**BINARY, **ACT},
                                                                                 bbox_head=BINARY)),
}
ROI_HEADS = dict(type='Shared4Conv1FCBBoxHead', conv_out_channels=16, fc_out_channels=32, **BINARY)


@pytest.fixture(scope='module', autouse=True)
def scope():
    enter_mmdet()


def shrink(model):
    """The same detector, narrow."""
    model.pop('init_cfg', None)
    neck, head = model.neck, model.get('bbox_head') or model.rpn_head
    if neck.type in ('FPN', 'SSDNeck'):
        indices = (2, 3) if neck.type == 'SSDNeck' else RESNET['out_indices']
        model.backbone = ConfigDict({**RESNET, 'out_indices': indices})
        neck.in_channels = [CHANNELS[i] for i in indices]
    else:
        model.backbone.update(widen_factor=0.125, init_cfg=None)
        neck.update(in_channels=[32, 64, 128], out_channels=16, num_csp_blocks=1)
    if neck.type == 'SSDNeck':
        neck.update(out_channels=[32, 64, 16, 16, 16, 16], level_strides=(2, 2, 2, 2), level_paddings=(1, 1, 1, 1),
                    l2_norm_scale=None)
        head.in_channels = neck.out_channels
    else:
        neck.out_channels = 16
        head.update(in_channels=16, feat_channels=16)
    if 'roi_head' in model:
        model.roi_head.bbox_roi_extractor.out_channels = 16
        heads = model.roi_head.bbox_head
        for part in heads if isinstance(heads, list) else [heads]:
            part.update(in_channels=16, fc_out_channels=32, num_classes=CLASSES)
    else:
        head.num_classes = CLASSES
    return model


def light(name, binary=None):
    """A stock detector with binary parts."""
    path, parts = STOCK[name]
    model = shrink(Config.fromfile(_path(path)).model)
    for part, changes in (parts if binary is None else binary).items():
        model[part].update(ConfigDict(changes))
    return model


def _path(name):
    from pathlib import Path

    import mmdet
    return Path(mmdet.__file__).parent / '.mim' / 'configs' / name


@pytest.mark.parametrize('name', sorted(STOCK))
def test_trains_and_predicts(name):
    cfg = light(name)
    check_conv_cfg(cfg)
    net = build(cfg)
    check_binarized(net, cfg)
    for part in STOCK[name][1]:
        kinds = [type(m) for m in getattr(net, part).modules()]
        assert BinaryConv2d in kinds
        assert any(issubclass(kind, RPReLU) for kind in kinds) or 'act_cfg' not in STOCK[name][1][part]
    assert not train_step(net, 128)[1]
    if name == 'ssd':
        # MMDetection 3.5.1's SSD head can't predict as it is: decoding asks for a module that it doesn't have.
        net.bbox_head.loss_cls = None
    predict_step(net, 128)


def test_box_heads_with_convolutions():
    cfg = light('faster_rcnn')
    old = cfg.roi_head.bbox_head
    cfg.roi_head.bbox_head = ConfigDict({**old, **ROI_HEADS})
    net = build(cfg)
    check_binarized(net, cfg)
    assert sum(isinstance(m, BinaryConv2d) for m in net.roi_head.bbox_head.modules()) == 4
    train_step(net, 128)
    predict_step(net, 128)


@pytest.mark.parametrize('name, binary, words', [
    # Built without the argument's use: nothing would be binary.
    ('ssd', dict(bbox_head=BINARY), r'model.bbox_head \(SSDHead\) has a binary conv_cfg and no binary convolution'),
    # No normalisation behind the binary convolutions.
    ('retinanet', dict(neck=dict(conv_cfg=BINARY['conv_cfg'])), 'no normalisation behind it'),
])
def test_parts_that_stay_real_are_refused(name, binary, words):
    cfg = light(name, binary)
    with pytest.raises(ValueError, match=words):
        check_binarized(build(cfg), cfg)


@pytest.mark.parametrize('path, part', [
    ('centernet/centernet_r18_8xb16-crop512-140e_coco.py', 'neck'), ('yolof/yolof_r50-c5_8xb8-1x_coco.py', 'neck'),
    ('faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py', 'roi_head.bbox_roi_extractor')])
def test_parts_without_the_argument_are_refused_before_they_are_built(path, part):
    model = Config.fromfile(_path(path)).model
    target = model
    for key in part.split('.'):
        target = target[key]
    target.update(ConfigDict(BINARY))
    with pytest.raises(ValueError, match=rf'model.{part} is a \w+, which takes no conv_cfg'):
        check_conv_cfg(model)


def test_parts_in_a_list_are_checked():
    cfg = light('cascade_rcnn', {})
    for head in cfg.roi_head.bbox_head[1:]:
        head.update(ConfigDict(BINARY))
    words = r'model.roi_head.bbox_head.1 \(Shared2FCBBoxHead\) has a binary conv_cfg and no binary convolution'
    with pytest.raises(ValueError, match=words):
        check_binarized(build(cfg), cfg)


@pytest.mark.parametrize('name', sorted(set(STOCK) - {'ssd'}))
def test_stock_detectors_pass_the_check_of_levels(name):
    check_levels(build(light(name)))


def test_strides_of_other_levels_are_refused():
    # Made small, its levels have other strides than SSD's anchors at 300 px.
    with pytest.raises(ValueError, match=r'the levels have the strides \[16, 32, 64, 128, 256, 256\], but the head'):
        check_levels(build(light('ssd')))


def test_behind_a_relu_the_sign_is_centred():
    torch.manual_seed(0)
    conv = light_conv()
    x = torch.randn(4, 8, 9, 9).relu() + torch.arange(8.).view(8, 1, 1)
    signs = []
    conv.sign.register_forward_hook(lambda module, inputs, output: signs.append(output))
    conv.eval()(x)
    assert (signs[-1] == 1).all()
    conv.train()(x)
    assert (signs[-1].mean((0, 2, 3)).abs() < 0.6).all()
    torch.testing.assert_close(conv.sign.bias, -x.mean((0, 2, 3)))
    # The first batch alone sets it, also after a restart.
    again = light_conv()
    again.load_state_dict(conv.state_dict())
    again.train()(x + 5)
    torch.testing.assert_close(again.sign.bias, conv.sign.bias)


def light_conv():
    from mmcv.cnn import build_conv_layer
    return build_conv_layer(BINARY['conv_cfg'], 8, 8, 3, padding=1)


@pytest.mark.parametrize('channels', [1, 6])
def test_rprelu_by_config(channels):
    from mmcv.cnn import ConvModule
    torch.manual_seed(0)
    act = dict(type='nasbnn_det.RPReLU', channels=channels)
    module = ConvModule(4, 6, 3, padding=1, act_cfg=act, **BINARY)
    x = torch.randn(2, 4, 5, 5)
    module(x).square().sum().backward()
    rprelu = module.activate
    assert isinstance(rprelu, RPReLU) and rprelu.slope.shape == rprelu.slope.grad.shape == (channels, )
    y = torch.randn(2, 6, 5, 5)
    shifted = y + rprelu.bias_in.view(-1, 1, 1)
    expected = torch.where(shifted > 0, shifted, shifted * rprelu.slope.view(-1, 1, 1)) + rprelu.bias_out.view(-1, 1, 1)
    torch.testing.assert_close(rprelu(y), expected)
    # The gradient of a shared slope is the sum of the separate ones.
    wide = RPReLU(6)
    wide(y).sum().backward()
    narrow = RPReLU(1)
    narrow(y).sum().backward()
    torch.testing.assert_close(narrow.slope.grad, wide.slope.grad.sum(0, keepdim=True))
    assert isinstance(module.conv, nn.Conv2d)


@pytest.mark.parametrize('shape', [(4, 6), (2, 5, 6)])
def test_rprelu_takes_maps_alone(shape):
    with pytest.raises(ValueError, match=r'RPReLU takes maps of shape \(N, C, H, W\)'):
        RPReLU(6)(torch.zeros(shape))
