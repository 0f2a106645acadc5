"""The backbones that binary detectors are compared on: their published operations, shapes and parts."""
import pytest
import torch
from torch import nn

pytest.importorskip('mmengine')

from nasbnn_det.binary import BinaryConv2d, RPReLU  # noqa: E402
from nasbnn_det.costs.module_ops import count_model_ops, total  # noqa: E402
from nasbnn_det.registry import MODELS  # noqa: E402


class Classifier(nn.Module):
    """A backbone with average pooling and a linear layer, as operations are published."""

    def __init__(self, backbone):
        super().__init__()
        self.backbone = backbone
        self.fc = nn.Linear(backbone.out_channels[-1], 1000)

    def forward(self, x):
        return self.fc(self.backbone(x)[-1].mean((2, 3)))


def build(**cfg):
    torch.manual_seed(0)
    return MODELS.build(dict(cfg, type=f"nasbnn_det.{cfg['type']}"))


@pytest.mark.parametrize('cfg, published', [
    # arXiv 1808.00278, Table 3; arXiv 2003.03488, Table 1.
    (dict(type='BinaryResNet', depth=18, style='bireal'), 163e6),
    (dict(type='BinaryResNet', depth=18, style='reactnet'), 163e6),
    (dict(type='BinaryResNet', depth=34, style='bireal'), 193e6),
    (dict(type='ReActNet'), 87e6),
])
def test_published_operations(cfg, published):
    ops = total(count_model_ops(Classifier(build(**cfg)), (224, 224)))
    assert ops.ops == pytest.approx(published, rel=0.02)


@pytest.mark.parametrize('cfg', [
    dict(type='BinaryResNet', out_indices=(0, 1, 2, 3)), dict(type='BinaryResNet', out_indices=(2, ), style='reactnet'),
    dict(type='BinaryResNet', depth=34, out_indices=(1, 3)), dict(type='ReActNet', out_indices=(0, 1, 2, 3, 4)),
    dict(type='ReActNet')])
def test_levels(cfg):
    net = build(**cfg)
    outs = net(torch.randn(2, 3, 67, 41))
    levels = zip(net.out_channels, net.out_strides)
    assert [o.shape for o in outs] == [(2, c, -(-67 // s), -(-41 // s)) for c, s in levels]
    sum(o.square().sum() for o in outs).backward()


def test_styles():
    bireal, react = build(type='BinaryResNet'), build(type='BinaryResNet', style='reactnet')
    assert not any(isinstance(m, RPReLU) for m in bireal.modules())
    shifts = [m.sign.bias for m in bireal.modules() if isinstance(m, BinaryConv2d)]
    assert len(shifts) == 16 and not any(shift.requires_grad for shift in shifts)
    assert sum(isinstance(m, RPReLU) for m in react.modules()) == 16
    assert all(m.sign.bias.requires_grad for m in react.modules() if isinstance(m, BinaryConv2d))


def test_norm_eval():
    net = build(type='BinaryResNet', norm_eval=True).train()
    assert not any(m.training for m in net.modules() if isinstance(m, nn.BatchNorm2d)) and net.training


@pytest.mark.parametrize('cfg, words', [
    (dict(type='BinaryResNet', depth=50), 'allowed are depths'), (dict(type='BinaryResNet', style='xnor'), "'xnor'"),
    (dict(type='BinaryResNet', out_indices=(4, )), 'stages 0 to 3'), (dict(type='ReActNet', out_indices=()), '0 to 4')])
def test_bad_arguments(cfg, words):
    with pytest.raises(ValueError, match=words):
        build(**cfg)


@pytest.mark.parametrize('cfg', [dict(type='BinaryResNet', style='reactnet'), dict(type='ReActNet', out_indices=(4, ))])
def test_loads_strictly(cfg, tmp_path):
    held = Classifier(build(**cfg, frozen_stages=1))
    for parameter in held.parameters():
        torch.nn.init.normal_(parameter)
    torch.save(dict(state_dict=held.state_dict()), tmp_path / 'held.pth')
    net = build(**cfg, init_cfg=dict(type='Pretrained', checkpoint=str(tmp_path / 'held.pth')))
    net.init_weights()
    assert all(torch.equal(value, held.backbone.state_dict()[key]) for key, value in net.state_dict().items())
    state = held.state_dict()
    del state['backbone.stages.2.0.' + next(iter(held.backbone.stages[2][0].state_dict()))]
    with pytest.raises(ValueError, match='1 missing'):
        held.load_state_dict(state, strict=False)


@pytest.mark.parametrize('name', ['BinaryResNet', 'ReActNet'])
def test_frozen_stages(name):
    net = build(type=name, frozen_stages=1).train()
    frozen = [net.stem, net.stages[0]]
    assert not any(m.training for part in frozen for m in part.modules())
    assert not any(p.requires_grad for part in frozen for p in part.parameters()) and net.stages[1].training
    with pytest.raises(ValueError, match='frozen_stages is 9'):
        build(type=name, frozen_stages=9)
