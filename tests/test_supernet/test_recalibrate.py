"""Batch norm recalibration."""
import copy

import pytest
import torch
from shaken import shake
from torch import nn

from nasbnn_det.arch import SPACES, Arch
from nasbnn_det.supernet import Subnet, recalibrate_bn

SMALLEST = Arch.smallest(SPACES['tiny'])


@pytest.fixture
def subnet():
    """A subnet with odd statistics."""
    torch.manual_seed(0)
    return shake(Subnet(SMALLEST, 3)).eval()


def norms(net):
    """Its batch norms by name."""
    return {name: m for name, m in net.named_modules() if isinstance(m, nn.BatchNorm2d)}


def test_statistics_are_the_means_of_the_batches_own(subnet):
    batches = [torch.randn(4, 3, 33, 31) * (i + 1) + i for i in range(3)]
    seen = {name: [] for name in norms(subnet)}
    handles = [m.register_forward_pre_hook(lambda _, args, name=name: seen[name].append(args[0]))
               for name, m in norms(subnet).items()]
    recalibrate_bn(subnet, batches)
    for handle in handles:
        handle.remove()
    for name, norm in norms(subnet).items():
        assert len(seen[name]) == 3 and norm.num_batches_tracked == 3
        means = torch.stack([x.mean((0, 2, 3)) for x in seen[name]])
        variances = torch.stack([x.var((0, 2, 3)) for x in seen[name]])
        torch.testing.assert_close(norm.running_mean, means.mean(0), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(norm.running_var, variances.mean(0), rtol=1e-4, atol=1e-5)


def test_not_the_variance_of_all_images_together():
    net = nn.Sequential(nn.BatchNorm2d(1))
    batches = [torch.randn(4, 1, 8, 8), torch.randn(4, 1, 8, 8) + 10]
    recalibrate_bn(net, batches)
    together = torch.cat(batches)
    torch.testing.assert_close(net[0].running_mean, together.mean().view(1))
    assert net[0].running_var < 2 < 20 < together.var()


def test_one_batch_makes_evaluation_equal_training(subnet):
    x = torch.randn(16, 3, 64, 64)
    recalibrate_bn(subnet, [x])
    evaluated = subnet.stem(x)
    subnet.train()
    torch.testing.assert_close(evaluated, subnet.stem(x), rtol=1e-3, atol=1e-3)


def test_earlier_statistics_do_not_matter(subnet):
    other = shake(copy.deepcopy(subnet), seed=5)
    other.load_state_dict({**other.state_dict(), **{k: v for k, v in subnet.named_parameters()}})
    batches = [torch.randn(2, 3, 32, 32) for _ in range(2)]
    for net in (subnet, other):
        recalibrate_bn(net, iter(batches))
    for a, b in zip(norms(subnet).values(), norms(other).values()):
        assert torch.equal(a.running_mean, b.running_mean) and torch.equal(a.running_var, b.running_var)


@pytest.mark.parametrize('fails', [False, True])
def test_modes_momenta_and_weights_stay(subnet, fails):
    subnet.train()
    subnet.stem.eval()
    momenta = [0.01 * (i + 1) for i in range(len(norms(subnet)))]
    for norm, momentum in zip(norms(subnet).values(), momenta):
        norm.momentum = momentum
    modes = [m.training for m in subnet.modules()]
    weights = [p.detach().clone() for p in subnet.parameters()]
    grads = [p.requires_grad for p in subnet.parameters()]
    if fails:
        with pytest.raises(RuntimeError):
            recalibrate_bn(subnet, [torch.randn(2, 3, 32, 32), torch.randn(2, 5, 32, 32)])
    else:
        recalibrate_bn(subnet, [torch.randn(2, 3, 32, 32)])
    assert [m.training for m in subnet.modules()] == modes
    assert [norm.momentum for norm in norms(subnet).values()] == momenta
    assert all(torch.equal(p, w) for p, w in zip(subnet.parameters(), weights))
    assert [p.requires_grad for p in subnet.parameters()] == grads
    assert not subnet.stem.conv.is_set()


def test_no_batch(subnet):
    with pytest.raises(ValueError, match='needs at least one batch'):
        recalibrate_bn(subnet, [])
    assert not any(m.training for m in subnet.modules())
