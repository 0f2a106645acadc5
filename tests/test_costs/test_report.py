"""What get_ops.py reports: of our detectors, of stock ones, with everything that is not counted."""
from pathlib import Path

import pytest
import torch
from torch import nn

mmdet = pytest.importorskip('mmdet')

from detectors import enter_mmdet  # noqa: E402
from mmcv.cnn import build_conv_layer  # noqa: E402
from mmengine.config import Config  # noqa: E402

from nasbnn_det.costs import Ops  # noqa: E402
from nasbnn_det.costs.module_ops import FREE, count_model_ops, not_counted, total  # noqa: E402
from nasbnn_det.costs.report import build_model, format_report, input_size, report_model  # noqa: E402
from nasbnn_det.models.layers import SharedRPReLU  # noqa: E402

STOCK = Path(mmdet.__file__).parent / '.mim' / 'configs'
KEYS = {'flops', 'int8_ops', 'bops', 'ops', 'params', 'packed_bytes'}


def stock(name, **backbone):
    """A stock detector with a small backbone's weights left out."""
    cfg = Config.fromfile(STOCK / name)
    cfg.model.backbone.update(init_cfg=None, **backbone)
    return cfg


def test_keys_and_sums():
    enter_mmdet()
    report = report_model(build_model(small_retinanet()), (64, 96))
    assert KEYS <= set(report) and set(report['params']) == {'1bit', '8bit', '32bit'}
    for rows in (list(report['parts'].values()), report['modules']):
        for key in KEYS - {'params'}:
            assert sum(row[key] for row in rows) == pytest.approx(report[key])
        for key, value in report['params'].items():
            assert sum(row['params'][key] for row in rows) == value
    assert list(report['parts']) == ['backbone', 'neck', 'bbox_head'] and report['input_size'] == [64, 96]
    assert 'total at 64 x 96' in format_report(report)


def small_retinanet():
    cfg = stock('retinanet/retinanet_r50_fpn_1x_coco.py', depth=18)
    cfg.model.neck.in_channels = [64, 128, 256, 512]
    return cfg


def test_a_stock_detector_is_all_float():
    report = report_model(build_model(small_retinanet()), (64, 64))
    assert report['bops'] == report['int8_ops'] == 0 and report['ops'] == report['flops']
    assert report['params']['32bit'] * 4 == report['packed_bytes'] and not report['params']['1bit']


def test_the_second_stage_is_counted_for_all_proposals():
    enter_mmdet()
    cfg = stock('faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py', depth=18)
    cfg.model.neck.in_channels = [64, 128, 256, 512]
    cfg.model.test_cfg.rpn.max_per_img = 30
    part = report_model(build_model(cfg), (64, 96))['parts']['roi_head']
    layers = 256 * 49 * 1024 + 1024 + 1024 * 1024 + 1024 + 1024 * (81 + 320) + 81 + 320
    assert part['flops'] == 30 * layers


def test_learned_proposals_are_refused():
    enter_mmdet()
    cfg = stock('sparse_rcnn/sparse-rcnn_r50_fpn_1x_coco.py', depth=18)
    cfg.model.neck.in_channels = [64, 128, 256, 512]
    with pytest.raises(ValueError, match='its proposals are learned'):
        report_model(build_model(cfg), (64, 96))


def test_activations_of_the_light_way_are_free():
    net = nn.Sequential(build_conv_layer(dict(type='nasbnn_det.BinaryConv2d'), 3, 4, 1), SharedRPReLU())
    assert not_counted(net, count_model_ops(net, (8, 8))) == list(FREE)


def test_transposed_and_unknown_layers():
    deconv = nn.Sequential(nn.ConvTranspose2d(3, 6, 4, stride=2, padding=1))
    assert total(count_model_ops(deconv, (8, 8))) == Ops(float_macs=16 * 3 * 6 * 64)

    class Attentive(nn.Module):

        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 1)
            self.unused = nn.Conv2d(3, 4, 1)
            self.attention = nn.MultiheadAttention(4, 1, batch_first=True)
            self.norm = nn.BatchNorm2d(4)

        def forward(self, x):
            x = self.norm(self.conv(x)).flatten(2).transpose(1, 2)
            return self.attention(x, x, x)

    net = Attentive()
    rows = count_model_ops(net, (4, 4))
    missing = not_counted(net, rows)
    assert missing[:len(FREE)] == list(FREE)
    assert set(missing[len(FREE):]) >= {'unused (Conv2d, did not run)', 'attention (MultiheadAttention)'}
    assert not any('norm' in entry and '(' in entry for entry in missing)


@pytest.mark.parametrize('name, size', [
    ('retinanet/retinanet_r50_fpn_1x_coco.py', (800, 1344)), ('ssd/ssd300_coco.py', (300, 300)),
    ('rtmdet/rtmdet_tiny_8xb32-300e_coco.py', (640, 640)), ('yolox/yolox_tiny_8xb8-300e_coco.py', (416, 416))])
def test_size_of_the_test_images(name, size):
    assert input_size(Config.fromfile(STOCK / name)) == size


def test_size_of_a_config_without_a_pipeline():
    with pytest.raises(ValueError, match='does not say to what size'):
        input_size(Config(dict(model=dict())))


def test_modes_and_weights_are_left_alone():
    net = build_model(small_retinanet()).train()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    modes = [m.training for m in net.modules()]
    report_model(net, (64, 64))
    assert modes == [m.training for m in net.modules()]
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
