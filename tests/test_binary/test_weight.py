"""From a latent float weight to a binary one."""
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nasbnn_det.binary import standardize_weight, transform_kernel

_SHAPES = st.tuples(st.integers(1, 5), st.integers(1, 5), st.sampled_from((1, 3, 5))).map(lambda s: (*s, s[-1]))


@given(_SHAPES, st.integers(0, 999))
def test_standardize_equals_the_formula(shape, seed):
    torch.manual_seed(seed)
    weight = torch.randn(shape) * 0.1 + 0.3
    out = standardize_weight(weight)
    assert out.shape == weight.shape
    if weight[0].numel() == 1:
        assert torch.equal(out, weight)
        return
    flat = weight.double().flatten(1)
    expected = (flat - flat.mean(1, keepdim=True)) / flat.std(1, keepdim=True)
    torch.testing.assert_close(out.flatten(1).double(), expected, rtol=1e-3, atol=1e-4)


def test_standardize_gradient():
    torch.manual_seed(0)
    weight = torch.randn(3, 2, 3, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(standardize_weight, weight)


@pytest.mark.parametrize('value', [0.0, 0.5, 0.1])
def test_constant_filter_stays_finite(value):
    assert standardize_weight(torch.full((2, 3, 3, 3), value)).isfinite().all()


def test_standardize_does_not_change_its_input():
    weight = torch.randn(2, 3, 3, 3)
    before = weight.clone()
    standardize_weight(weight)
    assert torch.equal(weight, before)


@pytest.mark.parametrize('k', [3, 5])
def test_identity_transform_changes_nothing(k):
    weight = torch.randn(4, 3, k, k)
    assert torch.equal(transform_kernel(weight, torch.eye(k * k)), weight)


def test_transform_multiplies_each_flattened_filter():
    torch.manual_seed(0)
    weight, matrix = torch.randn(2, 3, 3, 3), torch.randn(9, 9)
    out = transform_kernel(weight, matrix)
    for o in range(2):
        for i in range(3):
            torch.testing.assert_close(out[o, i].flatten(), matrix @ weight[o, i].flatten())
