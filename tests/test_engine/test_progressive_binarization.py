"""Layers that turn binary one by one."""
from types import SimpleNamespace

import pytest
import torch
from torch import nn

pytest.importorskip('mmengine')

from nasbnn_det.binary import BinaryConv2d, BinaryConvModule  # noqa: E402
from nasbnn_det.engine.hooks import ProgressiveBinarizationHook  # noqa: E402


@pytest.fixture
def net():
    torch.manual_seed(0)
    return nn.Sequential(*(BinaryConvModule(8, 8) for _ in range(4)))


def at(hook, net, iteration, iterations=100):
    """Which layers are in full precision in a step."""
    runner = SimpleNamespace(model=net, iter=iteration, max_iters=iterations)
    hook.before_train(runner)
    hook.before_train_iter(runner, 0)
    return [brick.conv.is_float for brick in net]


def test_from_the_input_to_the_output(net):
    hook = ProgressiveBinarizationHook(until=0.8)
    assert at(hook, net, 0) == [True] * 4
    assert at(hook, net, 19) == [True] * 4
    assert at(hook, net, 20) == [False, True, True, True]
    assert at(hook, net, 79) == [False, False, False, True]
    assert at(hook, net, 80) == [False] * 4


def test_a_layer_in_full_precision_is_its_twin(net):
    at(ProgressiveBinarizationHook(), net, 0)
    twin = nn.Sequential(*(BinaryConvModule(8, 8, binarization='float') for _ in range(4)))
    twin.load_state_dict(net.state_dict(), strict=False)
    x = torch.randn(2, 8, 12, 12, requires_grad=True)
    torch.testing.assert_close(net(x), twin(x))
    torch.testing.assert_close(torch.autograd.grad(net(x).square().sum(), x), torch.autograd.grad(twin(x).square().sum(), x))


def test_a_binary_layer_is_what_it_was(net):
    x = torch.randn(2, 8, 12, 12)
    before = net.eval()(x)
    hook = ProgressiveBinarizationHook()
    assert at(hook, net, 0) == [True] * 4
    assert not torch.allclose(net(x), before)
    hook.after_train(None)
    assert torch.equal(net(x), before)


def test_what_makes_no_sense():
    with pytest.raises(ValueError, match='until is 0; allowed is a share'):
        ProgressiveBinarizationHook(until=0)
    with pytest.raises(ValueError, match='this one has none'):
        at(ProgressiveBinarizationHook(), nn.Sequential(nn.Conv2d(1, 1, 1)), 0)
    assert BinaryConv2d(8, 8, 3).is_float is False
