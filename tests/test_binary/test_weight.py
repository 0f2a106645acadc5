"""From a latent float weight to a binary one."""
from contextlib import nullcontext

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nasbnn_det.binary import sign_weight, standardize_weight, transform_kernel
from nasbnn_det.binary.weight import mean_magnitude, standardized_signs
from nasbnn_det.native import REFERENCE, using_isa

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


@given(_SHAPES, st.integers(0, 999), st.booleans())
def test_standardized_signs_are_the_steps_one_by_one(shape, seed, plain):
    torch.manual_seed(seed)
    weight, grad = (torch.randn(shape) * 0.1 + 0.3).requires_grad_(), torch.randn(shape)
    real = standardize_weight(weight)
    signs = sign_weight(real)
    expected, = torch.autograd.grad(signs, weight, grad)
    with using_isa(REFERENCE) if plain else nullcontext():
        found, scale = standardized_signs(weight)
        gradient, = torch.autograd.grad(found, weight, grad)
    assert torch.equal(found, signs) and not scale.requires_grad
    torch.testing.assert_close(scale, mean_magnitude(real.detach()))
    torch.testing.assert_close(gradient, expected, rtol=1e-5, atol=1e-5 * expected.abs().max().item())


@pytest.mark.parametrize('value', [0.0, 0.5, 0.1, float('nan'), float('inf')])
def test_signs_of_a_strange_filter_are_signs(value):
    signs, scale = standardized_signs(torch.full((2, 3, 3, 3), value))
    assert bool((signs.abs() == 1).all()) and bool(scale.isfinite().all()) == np.isfinite(value)
