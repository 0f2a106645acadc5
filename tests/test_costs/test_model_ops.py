"""Operations of any model, counted on what runs."""
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from random_spaces import archs
from torch import nn

from nasbnn_det.arch import SPACES, Arch
from nasbnn_det.binary import BinaryConv2d, BinaryConvModule, QuantConv2d
from nasbnn_det.costs import Ops, count_ops
from nasbnn_det.costs.module_ops import by_part, count_model_ops, total
from nasbnn_det.supernet import Subnet


@given(archs(), st.integers(7, 40), st.integers(7, 40), st.integers(1, 9))
def test_a_subnet_counts_as_its_architecture(arch, height, width, classes):
    found = total(count_model_ops(Subnet(arch, classes), (height, width)))
    assert found == count_ops(arch, (height, width), classes)


def test_named_spaces_at_odd_sizes():
    for name in ('tiny', 'cifar'):
        arch = Arch.smallest(SPACES[name])
        rows = count_model_ops(Subnet(arch, 10), (37, 53))
        found, expected = total(rows), count_ops(arch, (37, 53), 10)
        assert (found.flops, found.bops, found.ops) == (expected.flops, expected.bops, expected.ops)
        assert by_part(rows)['fc'] == Ops(float_macs=10 * (arch.stage_channels[-1] + 1))
        assert sum(by_part(rows).values(), Ops()) == found


def test_backbone_alone():
    pytest.importorskip('mmengine')
    from nasbnn_det.registry import MODELS
    for binarization in ('standardized', 'float'):
        arch = Arch.biggest(SPACES['tiny'])
        net = MODELS.build(dict(type='nasbnn_det.NASBNN', arch=arch, out_indices=(4, ), binarization=binarization))
        found, expected = total(count_model_ops(net, (65, 33))), count_ops(arch, (65, 33))
        if binarization == 'standardized':
            assert found == expected
        else:
            assert found == Ops(float_macs=expected.bops, int8_macs=expected.int8_macs)


@pytest.mark.parametrize('layer, field', [
    (lambda: BinaryConv2d(3, 6, (3, 5), stride=2, padding=1, groups=3), 'bops'),
    (lambda: QuantConv2d(3, 6, (3, 5), stride=2, padding=1, groups=3), 'int8_macs'),
    (lambda: nn.Conv2d(3, 6, (3, 5), stride=2, padding=1, groups=3), 'float_macs'),
])
def test_layers_count_by_their_precision(layer, field):
    rows = count_model_ops(nn.Sequential(layer()), (11, 14))
    # Output (6, 6): (11 + 2 - 3) // 2 + 1 and (14 + 2 - 5) // 2 + 1.
    assert total(rows) == Ops(**{field: 3 * 5 * 1 * 6 * 6 * 6})
    assert [(r.name, r.kind) for r in rows] == [('0', type(layer()).__name__)]


class Shared(nn.Module):
    """One convolution on three levels, one that never runs, a brick that shares the first's convolution."""

    def __init__(self):
        super().__init__()
        self.first = BinaryConvModule(3, 3)
        self.unused = nn.Conv2d(3, 3, 3)
        self.second = BinaryConvModule(3, 3, conv=self.first.conv)

    def forward(self, x):
        return self.first(x), self.first(x[..., ::2, ::2]), self.second(x[..., ::4, ::4])


def test_shared_modules_count_once_per_call():
    rows = count_model_ops(Shared(), (16, 16))
    assert [r.name for r in rows] == ['first.conv']
    assert total(rows) == Ops(bops=9 * 3 * 3 * (256 + 64 + 16))


def test_the_model_is_left_as_it_was():
    net = Subnet(Arch.smallest(SPACES['tiny']), 2).train()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    count_model_ops(net, (32, 32))
    assert net.training and all(m.training for m in net.modules())
    assert all(torch.equal(before[k], v) for k, v in net.state_dict().items())
    assert not any(m._forward_hooks for m in net.modules())
    assert not count_model_ops(net.eval(), (32, 32))[0].ops == Ops() and not net.training


def test_modes_of_parts_are_left_as_they_were():
    net = Subnet(Arch.smallest(SPACES['tiny']), 2).train()
    net.stem.eval()
    count_model_ops(net, (32, 32))
    assert not net.stem.training and not net.stem.bn.training


def test_hooks_go_even_if_the_model_fails():
    net = nn.Sequential(nn.Conv2d(4, 4, 3)).train()
    with pytest.raises(RuntimeError):
        count_model_ops(net, (8, 8))
    assert not net[0]._forward_hooks and net.training


def test_a_whole_detector():
    pytest.importorskip('mmdet')
    from mmdet.utils import register_all_modules
    from mmengine.config import Config
    from mmengine.registry import init_default_scope

    from nasbnn_det.registry import MODELS
    register_all_modules(init_default_scope=False)
    init_default_scope('mmdet')
    root = Path(__file__).resolve().parents[2]
    cfg = Config.fromfile(root / 'configs/_base_/models/rtmdet_nasbnn.py').model
    arch = Arch.smallest(SPACES['tiny'])
    cfg.backbone.update(arch=arch.to_dict(), out_indices=(2, 3, 4))
    cfg.neck.update(out_channels=8)
    cfg.bbox_head.update(num_classes=4, in_channels=8, feat_channels=8)
    parts = by_part(count_model_ops(MODELS.build(cfg), (64, 96)))
    assert set(parts) == {'backbone', 'neck', 'bbox_head'}
    assert parts['backbone'] == count_ops(arch, (64, 96))
    pixels = 8 * 12 + 4 * 6 + 2 * 3
    towers = 2 * 2 * 9 * 8 * 8 * pixels
    assert parts['bbox_head'] == Ops(int8_macs=8 * (4 + 4) * pixels, bops=towers)
    assert parts['neck'].float_macs == parts['neck'].int8_macs == 0 and parts['neck'].bops > 0
