"""8-bit weights with learned steps."""
import json

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from nasbnn_det.binary import QuantConv2d, Stem
from nasbnn_det.binary.quant import initial_step, quantize_weight


def test_initial_step_covers_three_deviations():
    torch.manual_seed(0)
    weight = torch.randn(4, 3, 3, 3) + 0.5
    flat = weight.flatten(1)
    mean, std = flat.mean(1), flat.std(1)
    expected = torch.stack([(mean - 3 * std).abs(), (mean + 3 * std).abs()]).amax(0) / 128
    torch.testing.assert_close(initial_step(weight), expected)
    single = torch.tensor([2.0, -4.0]).view(2, 1, 1, 1)
    assert initial_step(single).tolist() == [2 / 128, 4 / 128]


@given(st.integers(0, 999), st.floats(1e-3, 0.5))
def test_levels_are_8_bit_integers(seed, step):
    torch.manual_seed(seed)
    weight, steps = torch.randn(3, 2, 3, 3) * 4, torch.tensor([step, step * 2, step / 2])
    levels = quantize_weight(weight, steps) / steps.view(-1, 1, 1, 1)
    torch.testing.assert_close(levels, levels.round(), rtol=1e-5, atol=1e-4)
    assert levels.min() >= -128.001 and levels.max() <= 127.001
    torch.testing.assert_close(levels.round(), (weight / steps.view(-1, 1, 1, 1)).round().clamp(-128, 127), rtol=0,
                               atol=1.0)


def test_weights_far_outside_are_clamped():
    weight, step = torch.tensor([[[[-1e3, 1e3, 0.26]]]]), torch.tensor([0.1])
    torch.testing.assert_close(quantize_weight(weight, step).flatten(), torch.tensor([-12.8, 12.7, 0.3]))


@pytest.mark.parametrize('step', [0.0, -1.0])
def test_step_is_clamped_above_zero(step):
    assert torch.isfinite(quantize_weight(torch.randn(1, 2, 3, 3), torch.tensor([step]))).all()


def test_gradients_are_those_of_learned_step_size():
    torch.manual_seed(0)
    weight = (torch.randn(3, 2, 3, 3) * 4).requires_grad_()
    step = torch.tensor([0.05, 0.1, 0.02], requires_grad=True)
    grad = torch.randn(3, 2, 3, 3)
    quantize_weight(weight, step).backward(grad)
    ratio = weight.detach() / step.detach().view(-1, 1, 1, 1)
    # Rounding comes first: what rounds to 127 is inside.
    inside = (ratio.round() >= -128) & (ratio.round() <= 127)
    assert 0 < inside.float().mean() < 1
    torch.testing.assert_close(weight.grad, grad * inside)
    # LSQ: d/ds of s * q is round(w / s) - w / s inside, the clamped level outside.
    slope = torch.where(inside, ratio.round() - ratio, ratio.clamp(-128, 127))
    expected = (grad * slope).sum((1, 2, 3)) / (weight.numel() * 127)**0.5
    torch.testing.assert_close(step.grad, expected, rtol=1e-3, atol=1e-5)


def test_rounding_comes_before_clamping():
    weight = torch.tensor([127.4, 127.6, -128.4, -128.6]).view(1, 1, 2, 2).requires_grad_()
    quantize_weight(weight, torch.ones(1)).sum().backward()
    assert weight.grad.flatten().tolist() == [1, 0, 1, 0]


def test_recorded_steps_are_replayed(reference):
    """Each iteration begins where the record's ends: a step of 1e-3 multiplies a rounding error by 300 an iteration, and the
    order of a sum, which depends on the CPU's vectors, decides about the first."""
    records = json.loads(reference('stem_steps.json').read_text())
    weight = torch.tensor(records['weight'], dtype=torch.float64)
    target = torch.tensor(records['target'], dtype=torch.float64)
    layer = QuantConv2d(*weight.shape[1::-1], weight.shape[2], bias=False).double()
    layer.weight.data.copy_(weight)
    optimizer = torch.optim.Adam(layer.parameters(), records['lr'])
    driven_down, came_back = (torch.zeros(len(weight), dtype=torch.bool) for _ in range(2))
    for record in records['steps']:
        step, gradient = (torch.tensor(record[key], dtype=torch.float64) for key in ('step', 'step_grad'))
        torch.testing.assert_close(layer.current_step().detach(), step, rtol=1e-9, atol=1e-12)
        layer.step.data.copy_(step)
        optimizer.zero_grad()
        loss = (layer.quantized_weight() - 0.05 * target).square().sum()
        loss.backward()
        assert loss.item() == pytest.approx(record['loss'], rel=1e-9)
        torch.testing.assert_close(layer.step.grad, gradient, rtol=1e-9, atol=1e-9)
        layer.step.grad.copy_(gradient)
        came_back |= driven_down & (step > 1e-4)
        driven_down |= step <= 2**-23
        optimizer.step()
    assert driven_down.any() and came_back.any()


def test_a_step_below_zero_comes_back():
    torch.manual_seed(0)
    layer, x = QuantConv2d(3, 8, 3, bias=False), torch.randn(4, 3, 8, 8)
    target = F.conv2d(x, layer.weight.detach())
    optimizer = torch.optim.Adam(layer.parameters(), 2.5e-3)
    layer(x)
    layer.step.data.fill_(-1e-3)
    for i in range(50):
        optimizer.zero_grad()
        (layer(x) - target).square().mean().backward()
        if not i:
            assert layer.step.detach().tolist() == pytest.approx([2**-23] * 8) and (layer.step.grad != 0).all()
        optimizer.step()
    assert (layer.step > 1e-4).all()


def test_a_layer_that_runs_twice_a_forward_pass_trains():
    torch.manual_seed(0)
    layer = QuantConv2d(2, 3, 1)
    layer(torch.randn(1, 2, 4, 4))
    layer.step.data.fill_(-1.0)
    sum(layer(torch.randn(1, 2, n, n)).square().mean() for n in (4, 2)).backward()
    assert torch.isfinite(layer.step.grad).all()


def test_step_is_set_once_at_the_first_training_forward():
    torch.manual_seed(0)
    layer, x = QuantConv2d(2, 3, 3), torch.randn(1, 2, 7, 5)
    layer.eval()
    untrained = layer(x)
    assert not layer.is_set() and layer.step.tolist() == [1, 1, 1]
    torch.testing.assert_close(
        untrained, F.conv2d(x, quantize_weight(layer.weight, initial_step(layer.weight)), layer.bias))
    layer.train()
    torch.testing.assert_close(layer(x), untrained)
    first = layer.step.detach().clone()
    assert layer.is_set() and torch.equal(first, initial_step(layer.weight))
    with torch.no_grad():
        layer.weight.mul_(3)
    layer(x)
    layer.eval()(x)
    assert torch.equal(layer.step, first)


def test_a_loaded_step_is_kept():
    torch.manual_seed(0)
    trained, fresh = QuantConv2d(2, 3, 3), QuantConv2d(2, 3, 3)
    x = torch.randn(1, 2, 5, 5)
    trained(x)
    with torch.no_grad():
        trained.step.mul_(2)
    fresh.load_state_dict(trained.state_dict())
    assert torch.equal(fresh.train()(x), trained(x)) and torch.equal(fresh.step, trained.step)


def test_arguments_are_those_of_conv2d():
    layer = QuantConv2d(4, 6, (3, 1), stride=2, padding=(1, 0), dilation=2, groups=2, bias=False)
    x = torch.randn(2, 4, 13, 11)
    plain = F.conv2d(x, layer.quantized_weight(), None, 2, (1, 0), 2, 2)
    assert torch.equal(layer(x), plain) and layer.weight_bits == 8


@pytest.mark.parametrize('stride, size', [(1, (7, 9)), (2, (4, 5))])
def test_stem_shapes_on_odd_sizes(stride, size):
    assert Stem(3, 6, stride)(torch.randn(2, 3, 7, 9)).shape == (2, 6, *size)


def test_padding_mode():
    with pytest.raises(ValueError, match="'reflect'; QuantConv2d allows 'zeros' only"):
        QuantConv2d(3, 4, 3, padding=1, padding_mode='reflect')
