"""The one sign and its two surrogate gradients; RSign and RPReLU against plain formulas."""
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from nasbnn_det.binary import RPReLU, RSign, get_binarization, sign_activation, sign_weight
from nasbnn_det.binary.activation import rprelu

_SIGNS = pytest.mark.parametrize('sign', [sign_activation, sign_weight])
_FLOATS = st.lists(st.floats(-3, 3, width=32) | st.sampled_from([0.0, -0.0, 1.0, -1.0, 0.5, -0.5]), min_size=1)


def gradient(function, x, grad):
    """Gradient of ``function`` at ``x`` for an incoming gradient."""
    x = x.clone().requires_grad_()
    return torch.autograd.grad(function(x), x, grad)[0]


@_SIGNS
def test_both_zeros_are_plus_one(sign):
    out = sign(torch.tensor([0.0, -0.0, 1e-45, -1e-45, 7.0, -7.0, float('inf'), -float('inf')]))
    assert out.tolist() == [1, 1, 1, -1, 1, -1, 1, -1]


@_SIGNS
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64, torch.bfloat16, torch.float16])
def test_sign_keeps_shape_and_dtype(sign, dtype):
    x = torch.linspace(-1, 1, 24, dtype=dtype).view(2, 3, 4)
    out = sign(x)
    assert out.shape == x.shape and out.dtype == dtype
    assert torch.equal(out, torch.where(x >= 0, 1.0, -1.0).to(dtype))


@given(_FLOATS)
def test_activation_gradient(values):
    x = torch.tensor(values)
    grad = torch.linspace(-2, 3, len(values))
    inside = (2 - 2 * x.abs()) * (x.abs() <= 1)
    torch.testing.assert_close(gradient(sign_activation, x, grad), grad * inside)


@given(_FLOATS)
def test_weight_gradient(values):
    x = torch.tensor(values)
    grad = torch.linspace(-2, 3, len(values))
    assert torch.equal(gradient(sign_weight, x, grad), grad * (x.abs() <= 1))


def test_gradients_at_the_borders():
    x = torch.tensor([-1.001, -1.0, -0.5, 0.0, 0.25, 1.0, 1.001])
    ones = torch.ones_like(x)
    torch.testing.assert_close(
        gradient(sign_activation, x, ones), torch.tensor([0, 0, 1, 2, 1.5, 0, 0]), rtol=0, atol=1e-6)
    assert gradient(sign_weight, x, ones).tolist() == [0, 1, 1, 1, 1, 1, 0]


def test_backward_leaves_its_inputs_alone():
    x = torch.tensor([-0.5, 0.3, 2.0], requires_grad=True)
    grad = torch.tensor([1.0, 2.0, 3.0])
    before = x.detach().clone()
    for sign in (sign_activation, sign_weight):
        sign(x).backward(grad)
    assert torch.equal(x.detach(), before) and grad.tolist() == [1, 2, 3]


def test_rsign_shifts_each_channel_before_the_sign():
    torch.manual_seed(0)
    layer = RSign(3, get_binarization('reactnet'))
    x = torch.randn(2, 3, 4, 5)
    assert torch.equal(layer(x), sign_activation(x))
    with torch.no_grad():
        layer.bias.copy_(torch.tensor([0.5, -0.25, 0.0]))
    shifted = x + layer.bias.detach().view(1, 3, 1, 1)
    assert torch.equal(layer(x), torch.where(shifted >= 0, 1.0, -1.0))


def test_rsign_gradients():
    torch.manual_seed(0)
    x, bias = torch.randn(2, 3, 4, 5, requires_grad=True), torch.randn(3, requires_grad=True)
    grad = torch.randn(2, 3, 4, 5)
    layer = RSign(3, get_binarization('reactnet'))
    layer.bias.data.copy_(bias.detach())
    layer(x).backward(grad)
    shifted = (x + bias.view(1, 3, 1, 1)).detach()
    expected = grad * (2 - 2 * shifted.abs()).clamp(min=0)
    torch.testing.assert_close(x.grad, expected)
    torch.testing.assert_close(layer.bias.grad, expected.sum((0, 2, 3)))


def test_rprelu_starts_as_prelu():
    x = torch.tensor([-2.0, -0.0, 0.0, 3.0]).view(1, 1, 2, 2)
    assert RPReLU(1)(x).flatten().tolist() == [-0.5, 0, 0, 3]


@given(st.integers(1, 3), st.integers(1, 4), st.integers(1, 5), st.integers(1, 5), st.integers(0, 999))
def test_rprelu_equals_prelu_and_its_autograd(n, channels, height, width, seed):
    torch.manual_seed(seed)
    x = torch.randn(n, channels, height, width, dtype=torch.float64)
    bias_in, slope, bias_out = torch.randn(3, channels, dtype=torch.float64)
    x[torch.rand_like(x) < 0.2] = 0  # zeros and, below, exact kinks
    bias_in[0] = 0
    grad = torch.randn_like(x)

    def plain(x, bias_in, slope, bias_out):
        return F.prelu(x + bias_in.view(1, -1, 1, 1), slope) + bias_out.view(1, -1, 1, 1)

    results = []
    for function in (rprelu, plain):
        leaves = [t.clone().requires_grad_() for t in (x, bias_in, slope, bias_out)]
        out = function(*leaves)
        results.append([out.detach(), *torch.autograd.grad(out, leaves, grad)])
    for ours, expected in zip(*results):
        torch.testing.assert_close(ours, expected)


def test_rprelu_passes_numerical_gradient_check():
    torch.manual_seed(0)
    leaves = [torch.randn(2, 3, 2, 3, dtype=torch.float64), *torch.randn(3, 3, dtype=torch.float64)]
    assert torch.autograd.gradcheck(rprelu, [t.clone().requires_grad_() for t in leaves])
