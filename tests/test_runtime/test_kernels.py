"""Integer dot products equal the float reference exactly, for random shapes on every instruction set."""
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from nasbnn_det.runtime import LayerSpec, PackedLayer, available_isas
from nasbnn_det.runtime.ops import run_dots, run_sums
from nasbnn_det.runtime.spec import LayerSpec as Spec


def random_spec(rng: np.random.Generator) -> Spec:
    """A layer of any kind, now and then a very wide one."""
    groups = int(rng.choice([1, 1, 1, 2, 3, 4, 8, 16]))
    widest = 1536 if rng.random() < 0.05 else 160
    per_group = [int(rng.integers(1, max(2, widest // groups + 1))) for _ in range(2)]
    if rng.random() < 0.5:  # what networks use
        per_group = [max(8, n // 8 * 8) for n in per_group]
    kernel = (int(rng.choice([1, 3, 3, 5, 7])), ) * 2
    if rng.random() < 0.2:
        kernel = tuple(int(k) for k in rng.choice([1, 3, 5, 7], 2))
    dilation = (int(rng.choice([1, 1, 1, 2, 3])), int(rng.choice([1, 1, 2])))
    same = [d * (k // 2) for k, d in zip(kernel, dilation)]
    padding = tuple(same) if rng.random() < 0.7 else tuple(int(p) for p in rng.integers(0, 5, 2))
    stride = (int(rng.integers(1, 3)), ) * 2 if rng.random() < 0.8 else tuple(int(s) for s in rng.integers(1, 4, 2))
    return LayerSpec('binary', per_group[0] * groups, per_group[1] * groups, groups, kernel, stride, padding, dilation)


def random_case(rng: np.random.Generator):
    """A layer, signs of an input that is large enough, and the layer's plain weight."""
    spec = random_spec(rng)
    low = [max(1, d * (k - 1) + 1 - 2 * p) for k, d, p in zip(spec.kernel, spec.dilation, spec.padding)]
    extent = 6 if spec.in_channels > 200 else 20
    height, width = (int(rng.integers(n, n + extent)) for n in low)
    batch = int(rng.choice([1, 1, 1, 2, 5]))
    x = torch.from_numpy(rng.standard_normal((batch, spec.in_channels, height, width)).astype(np.float32))
    x[x.abs() < 0.05] = 0.0
    weight = torch.from_numpy(rng.random(spec.weight_shape) < 0.5)
    shift = torch.from_numpy(rng.choice([-0.5, 0.0, 0.25], spec.in_channels).astype(np.float32))
    return spec, x, weight, shift


def check_case(rng: np.random.Generator, on_isa) -> None:
    spec, x, weight, shift = random_case(rng)
    ones = torch.ones(spec.out_channels)
    layer = PackedLayer(spec, weight, ones, ones, shift)
    signs = torch.where(x + shift.view(-1, 1, 1) >= 0, 1.0, -1.0)
    want = F.conv2d(signs, torch.where(weight, 1.0, -1.0), None, spec.stride, spec.padding, spec.dilation, spec.groups)
    for name in available_isas():
        on_isa(name)
        dots = run_dots(x, spec, layer.tensors())
        assert torch.equal(dots, want.int()), f'{spec} on {tuple(x.shape)}, {name}'
        _, sums = run_sums(x, [(spec, layer.tensors(), -1)])
        assert torch.equal(sums[0], want.long().sum((0, 2, 3))), f'{spec} on {tuple(x.shape)}, {name}'
        assert torch.equal(sums[1], want.long().square().sum((0, 2, 3))), f'{spec} on {tuple(x.shape)}, {name}'


@pytest.mark.parametrize('seed', range(4))
def test_dot_products_are_exact(seed, on_isa, two_threads):
    rng = np.random.default_rng(seed)
    for _ in range(30):
        check_case(rng, on_isa)


@pytest.mark.slow
@pytest.mark.parametrize('seed', range(100, 110))
def test_dot_products_of_thousands_of_shapes_are_exact(seed, on_isa, two_threads):
    rng = np.random.default_rng(seed)
    for _ in range(500):
        check_case(rng, on_isa)


def test_dot_products_of_any_length_are_exact(isa):
    rng = np.random.default_rng(0)
    for words in (*range(1, 34), 248, 249, 495, 496, 512):
        spec = LayerSpec('binary', 32 * words, 33)
        weight = torch.from_numpy(rng.random(spec.weight_shape) < 0.5)
        signs = torch.where(weight[:, :, 0, 0], 1.0, -1.0)
        # Of the first two pixels all bits differ from an output channel's, or none.
        x = torch.cat([-signs[:1], signs[-1:], torch.from_numpy(rng.standard_normal((5, spec.in_channels), np.float32))])
        layer = PackedLayer(spec, weight, torch.ones(33), torch.zeros(33), torch.zeros(spec.in_channels))
        dots = run_dots(x.t().reshape(1, spec.in_channels, 1, 7), spec, layer.tensors())
        want = torch.where(x >= 0, 1.0, -1.0) @ signs.t()
        assert torch.equal(dots[0, :, 0].t(), want.int()), f'{words} words'


def test_the_sign_of_zero_is_plus_one(isa):
    spec = LayerSpec('binary', 2, 1)
    weight = torch.ones(1, 2, 1, 1, dtype=torch.bool)
    layer = PackedLayer(spec, weight, torch.ones(1), torch.zeros(1), torch.tensor([0.0, -1.0]))
    x = torch.tensor([[0.0, 1.0], [-0.0, 1.0], [0.0, 0.5]]).view(3, 2, 1, 1)
    assert run_dots(x, spec, layer.tensors()).flatten().tolist() == [2, 2, 0]
