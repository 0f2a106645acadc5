"""The binary neck, and binary layers named in a config."""
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

pytest.importorskip('mmengine')

from nasbnn_det.binary import BinaryConv2d, QuantConv2d  # noqa: E402
from nasbnn_det.registry import MODELS  # noqa: E402


def build(**kwargs):
    """A neck by its config."""
    return MODELS.build(dict(type='nasbnn_det.BinaryPAFPN', **kwargs))


@given(st.lists(st.integers(1, 9), min_size=1, max_size=5), st.integers(1, 9), st.integers(17, 40), st.integers(17, 40),
       st.sampled_from(('standardized', 'float')))
def test_any_number_of_levels_of_any_size(channels, out_channels, height, width, binarization):
    neck = build(in_channels=channels, out_channels=out_channels, binarization=binarization)
    sizes = [(-(-height // 2**i), -(-width // 2**i)) for i in range(len(channels))]
    outs = neck([torch.randn(2, c, *size) for c, size in zip(channels, sizes)])
    assert [o.shape for o in outs] == [(2, out_channels, *size) for size in sizes]
    sum(o.square().sum() for o in outs).backward()
    assert all(p.grad is not None for p in neck.parameters())


def test_every_level_sees_every_input():
    torch.manual_seed(0)
    neck = build(in_channels=(4, 4, 4), out_channels=8).eval()
    inputs = [torch.randn(1, 4, 16 // 2**i, 16 // 2**i) for i in range(3)]
    before = neck(inputs)
    for i in range(3):
        changed = [x + 3.0 * (k == i) for k, x in enumerate(inputs)]
        assert all(not torch.equal(a, b) for a, b in zip(before, neck(changed)))


def test_every_convolution_is_binary():
    convs = [m for m in build(in_channels=(4, 8), out_channels=8).modules() if isinstance(m, nn.Conv2d)]
    assert convs and all(type(c) is BinaryConv2d and c.kernel_size == (3, 3) for c in convs)
    twin = [m for m in build(in_channels=(4, 8), out_channels=8, binarization='float').modules()
            if isinstance(m, nn.Conv2d)]
    assert len(twin) == len(convs) and all(type(c) is nn.Conv2d for c in twin)


@pytest.mark.parametrize('channels', [(8, 4), (4, 4), (4, ), (4, 8, 8), ()])
def test_other_inputs_are_refused(channels):
    neck = build(in_channels=(4, 8), out_channels=4)
    with pytest.raises(ValueError) as error:
        neck([torch.randn(1, c, 8 // 2**i, 8 // 2**i) for i, c in enumerate(channels)])
    assert f'built for levels of (4, 8) channels and got {channels}' in str(error.value)


def test_no_level():
    with pytest.raises(ValueError, match='in_channels is empty'):
        build(in_channels=(), out_channels=4)


def test_channels_are_needed():
    for kind in ('BinaryPAFPN', 'BinaryFPN', 'BinarySSDNeck'):
        with pytest.raises(ValueError, match=f'{kind} needs in_channels, a number per input level; in a detector of'):
            MODELS.build(dict(type=f'nasbnn_det.{kind}'))


@pytest.mark.parametrize('name, kind', [('BinaryConv2d', BinaryConv2d), ('QuantConv2d', QuantConv2d)])
def test_layers_stand_in_for_convolutions(name, kind):
    bricks = pytest.importorskip('mmcv.cnn')
    module = bricks.ConvModule(4, 8, 3, stride=2, padding=1, groups=2, conv_cfg=dict(type=f'nasbnn_det.{name}'),
                               norm_cfg=dict(type='BN'))
    assert type(module.conv) is kind and module.conv.groups == 2 and module.conv.bias is None
    assert module(torch.randn(2, 4, 9, 7)).shape == (2, 8, 5, 4)
