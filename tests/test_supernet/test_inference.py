"""The evaluation form computes what the static network computes."""
import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from random_spaces import spaces
from shaken import shake

from nasbnn_det.arch import SPACES, Arch
from nasbnn_det.supernet import InferenceSubnet, Subnet, recalibrate_bn
from nasbnn_det.supernet.inference import crop_kernel


@given(spaces(), st.integers(0, 99), st.tuples(st.integers(5, 21), st.integers(5, 21)),
       st.sampled_from(('nasbnn', 'bnn', 'xnor')))
def test_recalibrates_and_predicts_as_the_static_network(space, seed, size, binarization):
    torch.manual_seed(seed)
    arch = Arch.random(space, np.random.default_rng(seed))
    static = shake(Subnet(arch, 3, binarization), seed).double()
    form = InferenceSubnet(copy.deepcopy(static))
    batches = list(torch.randn(3, 4, 3, *size, dtype=torch.float64))
    recalibrate_bn(static, batches)
    form.recalibrate(batches)
    for ours, expected in zip(form.subnet.buffers(), static.eval().buffers()):
        torch.testing.assert_close(ours, expected)
    torch.testing.assert_close(form(batches[0]), static(batches[0]), rtol=1e-6, atol=1e-6)


def test_recalibrating_again_starts_anew():
    form = InferenceSubnet(shake(Subnet(Arch.smallest(SPACES['tiny']), 3)))
    first, second = torch.randn(2, 4, 3, 32, 32)
    form.recalibrate([first])
    expected = form(first)
    form.recalibrate([second])
    assert not torch.equal(form(first), expected)
    form.recalibrate([first])
    torch.testing.assert_close(form(first), expected)


def test_no_batch_is_refused():
    with pytest.raises(ValueError, match='at least one batch'):
        InferenceSubnet(Subnet(Arch.smallest(SPACES['tiny']), 3)).recalibrate([])


@given(st.sampled_from([1, 3, 5, 7]), st.integers(1, 6), st.integers(1, 6), st.integers(1, 2))
def test_taps_that_meet_no_pixel_are_cut(kernel, height, width, stride):
    x, weight = torch.randn(2, 4, height, width).double(), torch.randn(6, 2, kernel, kernel).double()
    cropped = crop_kernel(weight, (height, width))
    expected = F.conv2d(x, weight, stride=stride, padding=kernel // 2, groups=2)
    found = F.conv2d(x, cropped, stride=stride, padding=(cropped.shape[2] // 2, cropped.shape[3] // 2), groups=2)
    torch.testing.assert_close(found, expected)
    assert cropped.shape[2] <= 2 * height - 1 or kernel == 1
