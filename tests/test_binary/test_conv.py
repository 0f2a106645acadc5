"""The binary convolution against a plain one of ±1 with ±a."""
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from nasbnn_det.binary import BinaryConv2d, standardize_weight, transform_kernel


def randomize(layer):
    """Random shifts and transformation, so that nothing is at its neutral start."""
    with torch.no_grad():
        layer.sign.bias.normal_(std=0.5)
        if layer.transform is not None:
            layer.transform.add_(0.1 * torch.randn_like(layer.transform))
    return layer


def plain_parts(layer, x):
    """±1 input, ±1 weight and scales by the formulas alone, in double precision."""
    ones = torch.where(x + layer.sign.bias.view(1, -1, 1, 1) >= 0, 1.0, -1.0).double()
    weight = layer.weight.detach()
    if layer.transform is not None:
        weight = transform_kernel(weight, layer.transform.detach())
    if layer.binarization.weights.standardize:
        weight = standardize_weight(weight)
    scale = weight.abs().mean((1, 2, 3)).double()
    return ones, torch.where(weight >= 0, 1.0, -1.0).double(), scale


@st.composite
def layers(draw):
    """Random layers with an input each."""
    torch.manual_seed(draw(st.integers(0, 9999)))
    groups = draw(st.sampled_from((1, 2, 3)))
    kernel = draw(st.sampled_from((1, 2, 3, 5)) | st.tuples(st.integers(1, 3), st.integers(1, 3)))
    layer = BinaryConv2d(
        groups * draw(st.integers(1, 3)), groups * draw(st.integers(1, 3)), kernel,
        stride=draw(st.integers(1, 3)), padding=draw(st.integers(0, 4) | st.none()),
        dilation=draw(st.integers(1, 2)), groups=groups, bias=draw(st.booleans()),
        binarization=dict(weights=dict(type='nasbnn', standardize=draw(st.booleans()), bi_transform=draw(st.booleans()))))
    size = (draw(st.integers(1, 2)), layer.in_channels, draw(st.integers(9, 14)), draw(st.integers(9, 14)))
    return randomize(layer), torch.randn(size)


@given(layers())
@torch.no_grad()
def test_output_equals_plain_convolution(case):
    layer, x = case
    ones, signs, scale = plain_parts(layer, x)
    # Zero padding of the ±1 map: taps outside the image add nothing.
    counts = F.conv2d(ones, signs, None, layer.stride, layer.padding, layer.dilation, layer.groups)
    assert torch.equal(counts, counts.round())
    expected = counts * scale.view(1, -1, 1, 1)
    if layer.bias is not None:
        expected = expected + layer.bias.double().view(1, -1, 1, 1)
    torch.testing.assert_close(layer(x).double(), expected, rtol=1e-5, atol=1e-5)


@given(layers())
@torch.no_grad()
def test_outputs_are_integer_multiples_of_the_scale(case):
    layer, x = case
    if layer.bias is not None:
        layer.bias.zero_()
    scale = layer.binary_weight().abs().amax((1, 2, 3)).view(1, -1, 1, 1)
    multiples = layer(x) / scale
    torch.testing.assert_close(multiples, multiples.round(), rtol=0, atol=1e-3)
    assert multiples.abs().max() <= layer.weight[0].numel() + 1e-3


@pytest.mark.parametrize('padding', [1, 2])
def test_borders_see_only_the_taps_inside(padding):
    layer = BinaryConv2d(1, 1, 3, padding=padding, binarization='bireal')
    with torch.no_grad():
        layer.weight.fill_(1)
    out = layer(torch.ones(1, 1, 4, 4))
    assert torch.equal(out, F.conv2d(torch.ones(1, 1, 4, 4), torch.ones(1, 1, 3, 3), padding=padding))
    if padding == 1:
        assert out[0, 0, 0].tolist() == [4, 6, 6, 4]
    else:
        assert out[0, 0, 0].tolist() == [1, 2, 3, 3, 2, 1]


@pytest.mark.parametrize('kernel, dilation', [(1, 1), (3, 1), (5, 2), ((3, 5), (2, 1))])
def test_padding_none_keeps_the_size(kernel, dilation):
    layer = BinaryConv2d(2, 3, kernel, padding=None, dilation=dilation)
    assert layer(torch.randn(1, 2, 13, 11)).shape == (1, 3, 13, 11)


def test_every_parameter_gets_a_gradient():
    torch.manual_seed(0)
    layer = BinaryConv2d(4, 4, 3, groups=2, bias=True, binarization='nasbnn')
    layer(torch.randn(2, 4, 5, 5)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in layer.parameters())


def test_precision_is_on_the_layer():
    assert (BinaryConv2d.weight_bits, BinaryConv2d.activation_bits) == (1, 1)


@pytest.mark.parametrize('kwargs, words', [
    (dict(in_channels=3, groups=2), ('in_channels=3', 'groups=2')),
    (dict(out_channels=5, groups=2), ('out_channels=5', 'groups=2')),
    (dict(padding_mode='reflect'), ('reflect', 'zeros')),
    (dict(binarization='float'), ("'float'", 'nn.Conv2d')),
])
def test_bad_arguments(kwargs, words):
    with pytest.raises(ValueError) as error:
        BinaryConv2d(**{**dict(in_channels=4, out_channels=4, kernel_size=3), **kwargs})
    assert all(word in str(error.value) for word in words)


@pytest.mark.parametrize('groups', [0, -1])
def test_groups_must_be_positive(groups):
    with pytest.raises(ValueError, match='groups'):
        BinaryConv2d(4, 4, 3, groups=groups)


@pytest.mark.parametrize('kernel, has_matrix', [(3, True), (1, False), ((3, 5), False)])
def test_a_matrix_stands_in_square_kernels(kernel, has_matrix):
    assert (BinaryConv2d(4, 4, kernel, binarization='nasbnn').transform is not None) == has_matrix
    assert BinaryConv2d(4, 4, kernel).transform is None
