"""Shortcut, brick and block: shapes, formulas, the full-precision twin."""
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from nasbnn_det.binary import BinaryBlock, BinaryConv2d, BinaryConvModule, shortcut

_SIZES = st.integers(1, 9)


def up(size, stride):
    """Division rounded up."""
    return -(-size // stride)


@given(st.integers(1, 9), st.integers(1, 20), st.integers(1, 4), _SIZES, _SIZES)
def test_shortcut_shape(channels, out_channels, stride, height, width):
    out = shortcut(torch.randn(2, channels, height, width), out_channels, stride)
    assert out.shape == (2, out_channels, up(height, stride), up(width, stride))


def test_shortcut_without_change_is_the_identity():
    x = torch.randn(2, 3, 4, 5)
    assert torch.equal(shortcut(x, 3), x)


def test_shortcut_averages_over_the_pixels_that_exist():
    x = torch.arange(15.0).view(1, 1, 3, 5)
    out = shortcut(x, 1, 2)[0, 0]
    assert out.tolist() == [[3, 5, 6.5], [10.5, 12.5, 14]]
    torch.testing.assert_close(shortcut(torch.full((1, 1, 7, 7), 2.5), 1, 2), torch.full((1, 1, 4, 4), 2.5))


@pytest.mark.parametrize('out_channels, order', [(3, '012'), (5, '01201'), (6, '012012'), (8, '01201201')])
def test_shortcut_widens_by_repeating_and_cutting(out_channels, order):
    x = torch.arange(3.0).view(1, 3, 1, 1)
    assert shortcut(x, out_channels).flatten().tolist() == [float(c) for c in order]


@pytest.mark.parametrize('channels, out_channels, folds', [
    (4, 2, [(0, 2), (1, 3)]),
    (6, 2, [(0, 2, 4), (1, 3, 5)]),
    (5, 3, [(0, 3), (1, 4), (2, 0)]),
    (3, 1, [(0, 1, 2)]),
])
def test_shortcut_narrows_to_the_mean_of_folds(channels, out_channels, folds):
    x = torch.randn(2, channels, 3, 3)
    expected = torch.stack([x[:, list(fold)].mean(1) for fold in folds], 1)
    torch.testing.assert_close(shortcut(x, out_channels), expected)


def test_two_concatenated_maps_become_their_mean():
    a, b = torch.randn(2, 1, 4, 3, 3)
    torch.testing.assert_close(shortcut(torch.cat([a, b], 1), 4), (a + b) / 2)


@st.composite
def brick_arguments(draw):
    """Legal arguments of a brick."""
    groups = draw(st.sampled_from((1, 2)))
    return dict(
        in_channels=groups * draw(st.integers(1, 4)), out_channels=groups * draw(st.integers(1, 8)),
        kernel_size=draw(st.sampled_from((1, 3, 5))), stride=draw(st.integers(1, 3)), groups=groups,
        dilation=draw(st.integers(1, 2)), binarization=draw(st.sampled_from(('standardized', 'float'))))


@given(brick_arguments(), st.integers(2, 9), st.integers(2, 9))
def test_brick_shape_on_any_size(arguments, height, width):
    brick = BinaryConvModule(**arguments)
    out = brick(torch.randn(2, arguments['in_channels'], height, width))
    stride = arguments['stride']
    assert out.shape == (2, arguments['out_channels'], up(height, stride), up(width, stride))


@pytest.mark.parametrize('binarization', ['standardized', 'float'])
def test_brick_is_what_it_says(binarization):
    torch.manual_seed(0)
    brick = BinaryConvModule(4, 6, 3, stride=2, binarization=binarization)
    x = torch.randn(2, 4, 7, 9)
    y = F.batch_norm(brick.conv(x), None, None, brick.bn.weight, brick.bn.bias, True) + shortcut(x, 6, 2)
    torch.testing.assert_close(brick(x), F.prelu(y, brick.act.slope))


def test_float_twin_has_the_same_names_without_the_sign():
    arguments = dict(in_channels=4, out_channels=8, kernel_size=3, groups1=2, stride=2)
    binary, twin = BinaryBlock(**arguments), BinaryBlock(**arguments, binarization='float')
    assert type(twin.conv1.conv) is nn.Conv2d and type(binary.conv1.conv) is BinaryConv2d
    shapes = [{k: v.shape for k, v in net.state_dict().items() if '.sign.' not in k and 'rule_json' not in k}
              for net in (binary, twin)]
    assert shapes[0] == shapes[1]
    x = torch.randn(1, 4, 5, 5)
    assert twin(x).shape == binary(x).shape == (1, 8, 3, 3)


@pytest.mark.parametrize('groups1, groups2, binarization', [(1, 1, 'standardized'), (2, 4, 'nasbnn')])
def test_block_shape_and_layers(groups1, groups2, binarization):
    block = BinaryBlock(8, 12, 5, 2, groups1, groups2, binarization)
    assert block(torch.randn(2, 8, 11, 6)).shape == (2, 12, 6, 3)
    first, second = block.conv1.conv, block.conv2.conv
    assert (first.groups, second.groups, second.kernel_size) == (groups1, groups2, (1, 1))
    assert (first.transform is not None) == (binarization == 'nasbnn') and second.transform is None


def test_bricks_may_share_a_convolution():
    first = BinaryConvModule(4, 4)
    second = BinaryConvModule(4, 4, conv=first.conv)
    assert second.conv is first.conv and second.bn is not first.bn
    first(torch.randn(2, 4, 3, 3)).sum().backward()
    assert second.conv.weight.grad is not None


@pytest.mark.parametrize('binarization', ['standardized', 'float'])
@pytest.mark.parametrize('kwargs, words', [
    (dict(kernel_size=2), ('kernel_size=2', 'odd')), (dict(groups=3), ('groups', ))])
def test_bad_arguments(binarization, kwargs, words):
    with pytest.raises(ValueError) as error:
        BinaryConvModule(4, 4, binarization=binarization, **kwargs)
    assert all(word in str(error.value) for word in words)


@pytest.mark.parametrize('build', [lambda p: BinaryConvModule(4, 4, binarization=p),
                                   lambda p: BinaryBlock(4, 4, 3, binarization=p)])
def test_unknown_binarization(build):
    with pytest.raises(ValueError, match="'int8' is unknown; allowed are"):
        build('int8')


def test_autocast_computes_and_learns():
    torch.manual_seed(0)
    block, x = BinaryBlock(4, 8, 3, 2, binarization='nasbnn'), torch.randn(2, 4, 8, 8)
    with torch.autocast('cpu', torch.bfloat16):
        out = block(x)
    out.float().square().mean().backward()
    assert torch.isfinite(out).all()
    assert all(torch.isfinite(p.grad).all() for p in block.parameters())
