"""Every rule of binarisation: its signs, scales and gradients by its paper's formulas, in layers, files and packed form."""
import json

import pytest
import torch
from torch import nn

from nasbnn_det.binary import BINARIZATIONS, BinaryConv2d, BinaryConvModule, get_binarization, standardize_weight
from nasbnn_det.binary.binarization import ACTIVATION_RULES, WEIGHT_RULES
from nasbnn_det.runtime import pack

BINARY = sorted(set(BINARIZATIONS) - {'float'})
W = torch.linspace(-1.6, 1.8, 2 * 3 * 9).view(2, 3, 3, 3)
X = torch.linspace(-2.05, 2, 41)


def weight_parts(rule, progress=0.5):
    """Signs, scale and the gradient of the sum of signs times 1, 2, 3, ... and of the scales."""
    weight = W.clone().requires_grad_()
    signs, scale = get_binarization(rule).weights(weight, None, progress)
    upstream = torch.arange(signs.numel()).view_as(signs) / 10.0
    loss = (signs * upstream).sum()
    (loss if scale is None else loss + scale.sum()).backward()
    return signs.detach(), None if scale is None else scale.detach(), weight.grad, upstream


def activation_gradient(rule, progress=0.5):
    """Gradient of the sign at X."""
    x = X.clone().requires_grad_()
    rule = get_binarization(dict(activations=rule)).activations
    signs = rule(x, progress, **{name: nn.Parameter(value) for name, value in rule.parameters().items()})
    assert torch.equal(signs, torch.where(X >= 0, 1.0, -1.0))
    signs.sum().backward()
    return x.grad


@pytest.mark.parametrize('name', BINARY)
def test_a_layer_trains_travels_and_packs(name):
    torch.manual_seed(0)
    net = nn.Sequential(BinaryConvModule(8, 12, 3, 2, binarization=name), BinaryConvModule(12, 16, 1, binarization=name))
    for module in net.modules():
        if hasattr(module, 'progress'):
            module.progress = 0.25
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight)
            nn.init.normal_(module.bias)
    x = torch.randn(2, 8, 9, 7)
    net(x).square().mean().backward()
    trained = [p for key, p in net.named_parameters() if p.requires_grad]
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in trained)
    net.eval()
    with torch.no_grad():
        torch.testing.assert_close(pack(net)(x), net(x), rtol=1e-5, atol=1e-5)
    again = nn.Sequential(BinaryConvModule(8, 12, 3, 2, binarization=name), BinaryConvModule(12, 16, 1, binarization=name))
    again.load_state_dict(net.state_dict())
    assert torch.equal(again.eval()(x), net(x))


@pytest.mark.parametrize('name', BINARY)
def test_a_state_of_another_rule_is_refused(name):
    other = 'xnor' if name != 'xnor' else 'bnn'
    state = BinaryConv2d(4, 4, 1, binarization=name).state_dict()
    with pytest.raises(ValueError, match=r"the checkpoint's layer '.*' is binarised by .*; set binarization accordingly"):
        BinaryConv2d(4, 4, 1, binarization=other).load_state_dict(state, strict=False)


@pytest.mark.parametrize('name', sorted(BINARIZATIONS))
def test_json_round_trip(name):
    value = get_binarization(name)
    assert get_binarization(json.loads(json.dumps(value.to_dict()))) == value and get_binarization(value) is value


def test_bnn():
    signs, scale, grad, upstream = weight_parts('bnn')
    assert torch.equal(signs, torch.where(W >= 0, 1.0, -1.0)) and scale is None
    torch.testing.assert_close(grad, upstream * (W.abs() <= 1))
    torch.testing.assert_close(activation_gradient('box'), (X.abs() <= 1).float())


def test_nasbnn_scale_is_a_constant():
    _, scale, grad, upstream = weight_parts('standardized')
    real = standardize_weight(W)
    torch.testing.assert_close(scale, real.abs().mean((1, 2, 3)))
    weight = W.clone().requires_grad_()
    standardize_weight(weight).backward(upstream * (real.abs() <= 1))
    torch.testing.assert_close(grad, weight.grad)


def test_xnor_gradient_goes_through_the_scale():
    signs, scale, grad, upstream = weight_parts('xnor')
    torch.testing.assert_close(scale, W.abs().mean((1, 2, 3)))
    torch.testing.assert_close(grad, upstream * (W.abs() <= 1) + signs / 27)


@pytest.mark.parametrize('name', ['bireal', 'reactnet'])
def test_magnitude(name):
    _, scale, grad, upstream = weight_parts(name)
    torch.testing.assert_close(scale, W.abs().mean((1, 2, 3)))
    torch.testing.assert_close(grad, upstream * (W.abs() <= 1))
    torch.testing.assert_close(activation_gradient('quadratic'), (2 - 2 * X.abs()).clamp(min=0))


@pytest.mark.parametrize('progress, t, k', [(0.0, 0.1, 10.0), (0.5, 1.0, 1.0), (1.0, 10.0, 1.0)])
def test_irnet(progress, t, k):
    signs, scale, grad, upstream = weight_parts('irnet', progress)
    balanced = standardize_weight(W)
    assert torch.equal(signs, torch.where(balanced >= 0, 1.0, -1.0))
    # The mean magnitude of a standardised filter lies between 1 / sqrt(2) and sqrt(2): the power is 2 to the 0.
    assert scale.tolist() == [1.0, 1.0]
    small = get_binarization('irnet').weights.scale(torch.tensor([0.24, 0.26, 3.1]).view(3, 1, 1, 1))
    assert small.tolist() == [0.25, 0.25, 4.0]
    weight = W.clone().requires_grad_()
    (k * (t * standardize_weight(weight)).tanh()).backward(upstream)
    torch.testing.assert_close(grad, weight.grad)
    x = X.clone().requires_grad_()
    (k * (t * x).tanh()).sum().backward()
    torch.testing.assert_close(activation_gradient('ede', progress), x.grad)


@pytest.mark.parametrize('progress, tau', [(0.0, 0.85), (1.0, 0.99)])
def test_recu(progress, tau):
    signs, scale, grad, upstream = weight_parts('recu', progress)
    real = standardize_weight(W)
    magnitude = real.abs().mean((1, 2, 3))
    torch.testing.assert_close(scale, magnitude)
    bound = magnitude.view(-1, 1, 1, 1) * -torch.tensor(2 - 2 * tau).log()
    clamped = real.clamp(-bound, bound)
    assert torch.equal(signs, torch.where(clamped >= 0, 1.0, -1.0))
    weight = W.clone().requires_grad_()
    standardize_weight(weight).backward(upstream * (clamped == real))
    torch.testing.assert_close(grad, weight.grad)
    assert (clamped != real).any() == (tau == 0.85)


def test_swish_sign_learns_its_sharpness():
    beta = torch.tensor([3.0], requires_grad=True)
    x = X.clone().requires_grad_()
    rule = get_binarization(dict(activations='swish')).activations
    rule(x, 1.0, beta=beta).sum().backward()
    ours = x.grad.clone(), beta.grad.clone()
    x.grad = beta.grad = None
    s = (beta * x).sigmoid()
    (2 * s * (1 + beta * x * (1 - s)) - 1).sum().backward()
    torch.testing.assert_close(ours[0], x.grad)
    torch.testing.assert_close(ours[1], beta.grad, rtol=1e-4, atol=1e-4)
    conv = BinaryConv2d(2, 2, 3, binarization=dict(activations=dict(type='swish', beta=2.0)))
    assert dict(conv.named_parameters())['sign.learned.beta'].item() == 2.0


def test_an_annealed_rule_wants_to_know_the_progress():
    layer = BinaryConv2d(4, 4, 1, binarization='irnet')
    x = torch.randn(1, 4, 2, 2)
    layer.eval()(x)
    with pytest.raises(ValueError, match="rule 'irnet' changes while the training goes on; add .*BinarizationProgressHook"):
        layer.train()(x)


@pytest.mark.parametrize('spec, words', [
    (None, "'None' is unknown; allowed are"),
    ('half', "'half' is unknown; allowed are"),
    (dict(type='half'), "'half' is unknown; allowed are"),
    (dict(weight='xnor'), 'has no weight; allowed are type, weights, activations, shift'),
    (dict(weights='quadratic'), "of weights by 'quadratic' is unknown; allowed are"),
    (dict(weights=dict(type='recu', tau=1)), "rule 'recu' of weights has no tau; allowed are tau_start, tau_end"),
    (dict(weights=dict(type='bnn', tau=1)), "has no tau; allowed are no options"),
    (dict(activations=dict(beta=1)), "of activations by 'None' is unknown"),
    (dict(shift='mean'), "shift 'mean' is unknown; allowed are learned, centered, none"),
])
def test_bad_values(spec, words):
    with pytest.raises(ValueError, match=words):
        get_binarization(spec)


def test_all_rules_belong_to_a_network_or_are_named_here():
    used = [get_binarization(name) for name in BINARIZATIONS]
    assert set(WEIGHT_RULES) == {value.weights.type for value in used}
    assert set(ACTIVATION_RULES) == {value.activations.type for value in used} | {'swish'}
