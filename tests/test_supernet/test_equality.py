"""One brick, several incarnations: sliced, extracted and static networks give the same numbers."""
import copy

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from random_spaces import archs
from shaken import shake
from torch import nn

from nasbnn_det.arch import SPACES, Arch, SearchSpace
from nasbnn_det.binary import get_binarization
from nasbnn_det.binary.weight import standardize_weight, transform_kernel
from nasbnn_det.supernet import Subnet, Supernet, extract_subnet
from nasbnn_det.supernet.slicing import gradients_added_to_parts, slice_weight

_CLOSE = dict(rtol=1e-5, atol=1e-5)
_SIZES = st.tuples(st.integers(9, 23), st.integers(9, 23))


def assert_same_features(sliced, static):
    """Compares stage by stage, relative to each map's largest entry."""
    assert len(sliced) == len(static)
    for a, b in zip(sliced, static):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-5 * max(1.0, b.abs().max().item()))


@given(archs(), _SIZES, st.booleans(), st.booleans(), st.integers(0, 999))
@torch.no_grad()
def test_sliced_equals_extracted_equals_static(arch, size, training, step_is_set, seed):
    torch.manual_seed(seed)
    supernet, x = shake(Supernet(arch.space, 3), seed), torch.randn(3, 3, *size)
    if step_is_set:
        supernet.stem.conv.train().current_step()
    extracted = extract_subnet(supernet, arch)
    static = Subnet(arch, 3)
    static.load_state_dict(extracted.state_dict(), strict=True)
    for net in (supernet, extracted, static):
        net.train(training)
    expected = supernet.forward_features(x, arch)
    strides = arch.space.strides
    assert [t.shape for t in expected] == [
        (3, c, -(-size[0] // s), -(-size[1] // s)) for c, s in zip(arch.stage_channels, strides)]
    assert_same_features(expected, extracted.forward_features(x))
    assert_same_features(expected, static.forward_features(x))
    # In training, these are the second forward passes of all three.
    torch.testing.assert_close(supernet(x, arch), extracted(x), **_CLOSE)
    torch.testing.assert_close(extract_subnet(supernet, arch).train(training)(x), static(x), **_CLOSE)


@given(archs(kernels=(3, 5, 7)), st.integers(0, 999))
def test_sliced_and_static_have_the_same_gradients(arch, seed):
    torch.manual_seed(seed)
    supernet, x = shake(Supernet(arch.space, 3), seed).train(), torch.randn(2, 3, 13, 11)
    static = extract_subnet(supernet, arch).train()
    weights = torch.randn(2, 3)
    (supernet(x, arch) * weights).sum().backward()
    (static(x) * weights).sum().backward()
    shared, width = supernet.fc.weight.grad, arch.stage_channels[-1]
    torch.testing.assert_close(shared[:, :width], static.fc.weight.grad, **_CLOSE)
    assert not shared[:, width:].any()
    first, ours = supernet.stages[0][0].conv1, static.stages[0][0].conv1
    c = ours.conv.in_channels
    for shared, own in ((first.bn.weight, ours.bn.weight), (first.act.slope, ours.act.slope),
                        (first.conv.sign.bias, ours.conv.sign.bias)):
        torch.testing.assert_close(shared.grad[:c], own.grad, rtol=1e-4, atol=1e-5)
        assert not shared.grad[c:].any()


@given(archs(), st.integers(0, 999))
@torch.no_grad()
def test_real_weights_skip_binarisation_only(arch, seed):
    torch.manual_seed(seed)
    supernet = shake(Supernet(arch.space, 3), seed).eval()
    block, spec = arch.stages[1][0], arch.space.stages[1]
    brick = supernet.stages[0][0].conv1
    c = arch.stages[0][0].channels
    x = torch.randn(1, c, 9, 7)
    latent = brick.conv.latent_weight(c, c, block.kernel, block.groups1)
    assert latent.shape == (c, c // block.groups1, block.kernel, block.kernel)
    signs = torch.where(x + brick.conv.sign.bias[:c].view(1, -1, 1, 1) >= 0, 1.0, -1.0)
    arguments = (c, block.kernel, block.groups1, spec.stride)
    real = torch.conv2d(signs, standardize_weight(latent), None, spec.stride, block.kernel // 2, 1, block.groups1)
    torch.testing.assert_close(brick.conv(x, *arguments, True), real, **_CLOSE)
    if block.kernel == spec.kernels[-1] > 1:
        latent = transform_kernel(latent, brick.conv.transform)
    ones, scale = get_binarization('standardized').weights(latent)
    binary = ones * scale.view(-1, 1, 1, 1)
    expected = torch.conv2d(signs, binary, None, spec.stride, block.kernel // 2, 1, block.groups1)
    torch.testing.assert_close(brick.conv(x, *arguments, False), expected, **_CLOSE)


@given(st.sampled_from((1, 2, 3, 4)), st.sampled_from((1, 2, 4)), st.sampled_from((1, 2, 3)), st.integers(1, 3))
def test_slice_weight_against_a_loop(fewest, factor, out_factor, width):
    groups = fewest * factor
    channels, rows = groups * width, groups * out_factor
    weight = torch.arange(rows * (channels // fewest)).view(rows, -1, 1, 1).float()
    out = slice_weight(weight, rows, channels, groups)
    columns = channels // groups
    ranges = weight.shape[1] // columns
    for row in range(rows):
        begin = row // (rows // groups) % ranges * columns
        assert torch.equal(out[row], weight[row, begin:begin + columns])


@pytest.mark.parametrize('first', ['whole', 'part'])
def test_gradients_added_to_parts_are_those_of_autograd(first):
    weight = nn.Parameter(torch.rand(12, 6, 3, 3))
    cuts = [(12, 12, 2), (8, 8, 4), (6, 12, 6), (4, 6, 2)] if first == 'whole' else [(8, 8, 4), (12, 12, 2), (12, 12, 12)]
    factors = [torch.rand(out, channels // groups, 3, 3) for out, channels, groups in cuts]

    def gradient():
        weight.grad = None
        for cut, factor in zip(cuts, factors):
            (slice_weight(weight, *cut) * factor).sum().backward()
        return weight.grad

    expected = gradient()
    with gradients_added_to_parts():
        assert torch.equal(gradient(), expected)
        seen = []
        handle = weight.register_hook(seen.append)  # hooks still see every gradient, of the full size
        assert torch.equal(gradient(), expected) and [grad.shape for grad in seen] == [weight.shape] * len(cuts)
        handle.remove()


def test_kernels_shrink_two_pixels_at_a_time():
    table = [((4, ), (1, ), (3, ), (1, ), (1, ), 2), ((4, ), (1, ), (3, 7), (1, ), (1, ), 2)]
    net = shake(Supernet(SearchSpace.from_table(table), 2))
    conv = net.stages[0][0].conv1.conv
    assert set(conv.shrink) == {'7to5', '5to3'}
    five = transform_kernel(conv.weight[:, :, 1:-1, 1:-1], conv.shrink['7to5'])
    three = transform_kernel(five[:, :, 1:-1, 1:-1], conv.shrink['5to3'])
    torch.testing.assert_close(conv.latent_weight(4, 4, 3, 1), three)
    assert torch.equal(conv.latent_weight(4, 4, 7, 1), conv.weight)


def test_extraction_copies():
    supernet = shake(Supernet('tiny', 3))
    before = copy.deepcopy(supernet.state_dict())
    subnet = extract_subnet(supernet, Arch.biggest(SPACES['tiny']))
    assert not subnet.training and not any(m.training for m in subnet.modules())
    own = {t.untyped_storage().data_ptr() for t in subnet.state_dict().values()}
    shared = {t.untyped_storage().data_ptr() for t in supernet.state_dict().values()}
    assert not own & shared
    with torch.no_grad():
        for t in subnet.state_dict().values():
            t.zero_()
    assert all(torch.equal(before[k], v) for k, v in supernet.state_dict().items())


def test_extracted_is_as_small_as_its_architecture():
    arch = Arch.smallest(SPACES['tiny'])
    subnet = extract_subnet(Supernet('tiny', 3), arch)
    assert {k: v.shape for k, v in subnet.state_dict().items()} == {
        k: v.shape for k, v in Subnet(arch, 3).state_dict().items()}
    assert all(t.untyped_storage().nbytes() == t.numel() * t.element_size() for t in subnet.state_dict().values())


def test_architecture_of_another_space_is_refused():
    supernet = Supernet('tiny', 3)
    arch = Arch.random(SPACES['cifar'], np.random.default_rng(0))
    for use in (lambda: supernet(torch.zeros(1, 3, 32, 32), arch), lambda: extract_subnet(supernet, arch)):
        with pytest.raises(ValueError, match="space 'cifar' given to a supernet of space 'tiny'"):
            use()


def test_evaluation_changes_nothing():
    supernet = shake(Supernet('tiny', 3)).eval()
    before = copy.deepcopy(supernet.state_dict())
    supernet(torch.randn(2, 3, 33, 31), Arch.smallest(supernet.space))
    assert all(torch.equal(before[k], v) for k, v in supernet.state_dict().items())
