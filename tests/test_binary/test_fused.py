"""A brick's training pass by the kernels gives what its operators give one by one."""
import copy

import pytest
import torch
from torch import nn

from nasbnn_det.arch import Arch
from nasbnn_det.binary import BINARIZATIONS, BinaryConv2d, BinaryConvModule
from nasbnn_det.binary.binarization import ACTIVATION_RULES
from nasbnn_det.binary.stem import Stem
from nasbnn_det.native import ISA_VARIABLE, REFERENCE, available_isas, training
from nasbnn_det.native.training import Geometry, Grid, Tail
from nasbnn_det.supernet import Supernet, bi_teacher_passes

ISAS = available_isas()[:-1]
pytestmark = pytest.mark.skipif(not ISAS, reason='the kernels can not be compiled here')
RULES = [*(name for name in BINARIZATIONS if name != 'float'),
         *(dict(activations=name) for name in ACTIVATION_RULES if name != 'float')]


def shaken(module):
    """Parameters of one value a channel off their first values, so that each one counts; progress for annealed rules."""
    for m in module.modules():
        if hasattr(m, 'progress'):
            m.progress = 0.4
    with torch.no_grad():
        for p in module.parameters():
            if p.dim() == 1:
                p.add_(torch.randn_like(p) * 0.2)
    return module


def run(module, x, isa, monkeypatch, call=lambda module, x: module(x)):
    """Output, gradients of the input and of all parameters, running statistics."""
    monkeypatch.setenv(ISA_VARIABLE, isa)
    module, x = copy.deepcopy(module), x.clone().requires_grad_()
    y = call(module, x)
    y.backward(torch.randn(y.shape, generator=torch.Generator().manual_seed(1)))
    found = {f'gradient of {name}': p.grad for name, p in module.named_parameters() if p.grad is not None}
    found.update({name: b for name, b in module.named_buffers() if 'running' in name})
    return dict(found, y=y.detach(), x=x.grad)


def assert_same(found, wanted, tolerance=1e-5):
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        error = (found[name].double() - value.double()).norm() / value.double().norm().clamp(min=1e-12)
        assert error <= tolerance, f'{name} differs by {error:.1e}'


def random_brick(seed):
    """Channels, groups, kernel, stride, dilation and size at random."""
    rng = torch.Generator().manual_seed(seed)

    def pick(*values):
        return values[int(torch.randint(len(values), (), generator=rng))]

    groups = pick(1, 1, 2, 4, 8)
    channels = [groups * pick(1, 3, 5, 8, 12, 17, 40, 70) for _ in range(2)]
    brick = BinaryConvModule(*channels, pick(1, 3, 3, 5), pick(1, 1, 2, 3), groups, pick(1, 1, 2))
    return shaken(brick), torch.randn(pick(1, 2, 5), channels[0], pick(2, 5, 8, 13), pick(3, 7, 18), generator=rng)


@pytest.mark.parametrize('isa', ISAS)
@pytest.mark.parametrize('seed', range(12))
def test_random_bricks(seed, isa, monkeypatch):
    torch.manual_seed(seed)
    brick, x = random_brick(seed)
    assert_same(run(brick, x, isa, monkeypatch), run(brick, x, REFERENCE, monkeypatch))
    brick.eval()
    assert_same(run(brick, x, isa, monkeypatch), run(brick, x, REFERENCE, monkeypatch))


@pytest.mark.parametrize('isa', ISAS)
@pytest.mark.parametrize('batch', [16, 70])
@pytest.mark.parametrize('kernel, stride, dilation, groups', [
    (1, 1, 1, 1), (3, 1, 1, 2), (3, 2, 1, 1), (5, 1, 2, 1), (5, 3, 1, 4)])
def test_small_maps(kernel, stride, dilation, groups, batch, isa, monkeypatch):
    torch.manual_seed(0)
    brick = shaken(BinaryConvModule(20, 68, kernel, stride, groups, dilation))
    x = torch.randn(batch, 20, 4, 5)
    assert_same(run(brick, x, isa, monkeypatch), run(brick, x, REFERENCE, monkeypatch))


@pytest.mark.parametrize('rule', RULES, ids=str)
def test_every_rule(rule, monkeypatch):
    torch.manual_seed(0)
    brick, x = shaken(BinaryConvModule(12, 24, 3, 2, 2, binarization=rule)), torch.randn(3, 12, 9, 8)
    assert_same(run(brick, x, ISAS[0], monkeypatch), run(brick, x, REFERENCE, monkeypatch))


def test_a_shared_convolution_with_a_bias(monkeypatch):
    torch.manual_seed(0)
    conv, x = BinaryConv2d(8, 8, 3, padding=None, bias=True), torch.randn(2, 8, 6, 6)
    brick = BinaryConvModule(8, 8, conv=conv).eval()  # in training the batch norm takes a bias away again
    for module in (brick, conv):
        shaken(module)
        assert_same(run(module, x, ISAS[0], monkeypatch), run(module, x, REFERENCE, monkeypatch))


def test_a_shift_that_is_set_by_the_first_batch(monkeypatch):
    torch.manual_seed(0)
    brick, x = BinaryConvModule(12, 12, binarization=dict(shift='centered')), torch.rand(3, 12, 9, 8)
    found, wanted = (run(brick, x, isa, monkeypatch) for isa in (ISAS[0], REFERENCE))
    assert_same(found, wanted)


#: In a network, rounding of one layer can turn a sign of the next whose argument is next to zero, with one way of summing
#: and not with the other. Of a million signs that changes a gradient by less than this; a wrong gradient is off by more.
TURNED = 0.02


def assert_as_good(module, x, monkeypatch, call=lambda module, x: module(x), turned=0.0):
    """The kernels are as near to double precision, in which plain operators run, as these are in single precision."""
    exact = run(copy.deepcopy(module).double(), x.double(), ISAS[0], monkeypatch, call)
    errors = [max((found[name] - value).norm() / value.norm().clamp(min=1e-12) for name, value in exact.items())
              for found in (run(module, x, isa, monkeypatch, call) for isa in (ISAS[0], REFERENCE))]
    assert errors[0] <= max(2 * errors[1], turned)


def test_a_stem(monkeypatch):
    torch.manual_seed(0)
    assert_as_good(shaken(Stem(3, 24)), torch.randn(2, 3, 15, 20), monkeypatch)


@pytest.mark.parametrize('arch, real_weights, batch', [
    ('biggest', True, 4), ('biggest', False, 4), ('smallest', True, 4), ('smallest', False, 4), ('smallest', True, 20)])
def test_a_supernet(arch, real_weights, batch, monkeypatch):
    torch.manual_seed(0)
    supernet = shaken(Supernet('tiny', 5))
    arch = getattr(Arch, arch)(supernet.space)

    assert_as_good(supernet, torch.randn(batch, 3, 48, 48), monkeypatch, lambda module, x: module(x, arch, real_weights),
                   TURNED)


def test_the_four_passes_of_a_step_add_up(monkeypatch):
    torch.manual_seed(0)
    supernet, images, labels = shaken(Supernet('tiny', 5)), torch.randn(4, 3, 48, 48), torch.tensor([0, 1, 2, 3])
    smallest, biggest = Arch.smallest(supernet.space), Arch.biggest(supernet.space)

    def step(isa, dtype):
        monkeypatch.setenv(ISA_VARIABLE, isa)
        module = copy.deepcopy(supernet).to(dtype)
        for _, loss in bi_teacher_passes(module, images.to(dtype), labels, biggest, [('a', smallest), ('b', biggest)]):
            loss.backward()
        return {name: p.grad for name, p in module.named_parameters()}

    exact = step(REFERENCE, torch.float64)
    errors = [max((found[name] - value).norm() / value.norm().clamp(min=1e-12) for name, value in exact.items()
                  if value is not None)
              for found in (step(isa, torch.float32) for isa in (ISAS[0], REFERENCE))]
    assert errors[0] <= max(2 * errors[1], TURNED)


class _Changed(nn.Module):
    """Changes a map in place."""

    def forward(self, x):
        return x.mul_(0.5)


def test_bricks_in_a_row_make_their_inputs_again(monkeypatch):
    torch.manual_seed(0)
    bricks = [Stem(3, 8), *(BinaryConvModule(c, d, 3, s) for c, d, s in
                            [(8, 8, 1), (8, 16, 2), (16, 12, 1), (12, 12, 1), (12, 12, 1), (12, 24, 1)])]
    net, x = shaken(nn.Sequential(*bricks)), torch.randn(2, 3, 20, 22)
    assert_same(run(net, x, ISAS[0], monkeypatch), run(net, x, REFERENCE, monkeypatch), 5e-5)
    changed = nn.Sequential(*[part for brick in bricks for part in (brick, _Changed())])
    assert_same(run(changed, x, ISAS[0], monkeypatch), run(changed, x, REFERENCE, monkeypatch), 5e-5)


def test_less_is_kept(monkeypatch):
    torch.manual_seed(0)
    net, x = nn.Sequential(*(BinaryConvModule(32, 32) for _ in range(6))), torch.randn(4, 32, 32, 32)

    def kept(isa):
        monkeypatch.setenv(ISA_VARIABLE, isa)
        sizes = {}
        with torch.autograd.graph.saved_tensors_hooks(lambda t: sizes.setdefault(t.data_ptr(), t.nbytes) and t, lambda t: t):
            y = net(x.requires_grad_())
        del y
        return sum(sizes.values())

    assert kept(ISAS[0]) < 0.25 * kept(REFERENCE)


def test_the_backward_pass_can_be_repeated():
    torch.manual_seed(0)
    net, x = nn.Sequential(BinaryConvModule(8, 8), BinaryConvModule(8, 8)), torch.randn(2, 8, 6, 6, requires_grad=True)
    y = net(x).square().sum()
    first, = torch.autograd.grad(y, x, retain_graph=True)
    assert torch.equal(first, torch.autograd.grad(y, x)[0])


def test_results_do_not_depend_on_threads(monkeypatch):
    torch.manual_seed(0)
    brick, x = BinaryConvModule(40, 40, 3, groups=2), torch.randn(3, 40, 17, 19)
    before, found = torch.get_num_threads(), []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        found.append(run(brick, x, ISAS[0], monkeypatch))
    torch.set_num_threads(before)
    assert all(torch.equal(found[0][name], other[name]) for other in found[1:] for name in other)


def test_gradients_of_several_passes_add_up():
    """What the backward pass returns becomes a parameter's gradient as it is: no two may lie in the same memory."""
    torch.manual_seed(0)
    for net, shape in ((BinaryConvModule(8, 16), (2, 8, 6, 6)), (Stem(3, 8), (2, 3, 6, 6))):
        x, once = torch.randn(shape), {}
        for passes in (1, 2, 3):
            net(x).square().sum().backward()
            for name, p in net.named_parameters():
                once.setdefault(name, p.grad.clone())
                torch.testing.assert_close(p.grad, passes * once[name], rtol=1e-4, atol=1e-5, msg=name)
        with torch.no_grad():
            for i, p in enumerate(net.parameters()):
                p.grad.fill_(i)
        assert all(bool((p.grad == i).all()) for i, p in enumerate(net.parameters()))


def test_frozen_parts_get_no_gradient():
    torch.manual_seed(0)
    brick, x = BinaryConvModule(8, 8), torch.randn(2, 8, 6, 6)
    brick.conv.weight.requires_grad_(False)
    brick(x).sum().backward()
    assert brick.conv.weight.grad is None and brick.conv.sign.bias.grad is not None


@pytest.mark.parametrize('isa', ISAS)
@pytest.mark.parametrize('seed', range(8))
def test_autocast_computes_gradients_in_16_bits(seed, isa, monkeypatch):
    torch.manual_seed(seed)
    brick, x = random_brick(seed)
    wanted = run(brick, x, isa, monkeypatch)
    with torch.autocast('cpu', torch.bfloat16):
        found = run(brick, x, isa, monkeypatch)
    assert torch.equal(found['y'], wanted['y'])
    assert_same(found, wanted, 2e-3)


def three_passes(x, weight, geometry, binary, grad, half):
    """z, and the gradients of the weight and of the signs from one of z."""
    outputs = weight.shape[0]
    bits, z, _ = training.convolve(x, torch.zeros(x.shape[1]), weight, geometry, binary, half)
    grid, one, zero = Grid(x, outputs, geometry), torch.ones(outputs), torch.zeros(outputs)
    tail = Tail(training.in_order(torch.zeros(z.shape)), None, torch.stack([one, zero, one, zero]))
    training.spread(tail, training.in_order(grad), torch.stack([one, zero, zero]), grid)
    return (z.float(), training.weight_gradient(grid, bits, weight.shape, half),
            training.signs_gradient(grid, weight, binary, x, half))


@pytest.mark.parametrize('binary', [True, False])
@pytest.mark.parametrize('isa', ISAS)
@pytest.mark.parametrize('channels, outputs, kernel, stride, groups, shape', [
    (64, 96, 3, 1, 1, (2, 20, 18)), (40, 80, 5, 2, 2, (2, 13, 18)), (20, 65, 3, 1, 1, (70, 6, 5)),
    (96, 33, 1, 1, 1, (33, 4, 4)), (70, 33, 3, 2, 1, (40, 7, 7))])
def test_kernels_of_16_bits(channels, outputs, kernel, stride, groups, shape, isa, binary, monkeypatch):
    """Right to 0.001, the same integers whatever the instruction set; small filters beside large ones lose nothing."""
    torch.manual_seed(0)
    x = training.in_order(torch.randn(shape[0], channels, *shape[1:]))
    size = torch.tensor([1e-3, 1, 1e3]).repeat(outputs)[:outputs].view(-1, 1, 1, 1)
    weight = torch.randn(outputs, channels // groups, kernel, kernel)
    weight = weight.sign() if binary else weight * size
    geometry = Geometry((kernel, kernel), (stride, stride), groups=groups)
    grad = torch.randn(geometry.output_shape(x, outputs))

    def passes(name, half):
        monkeypatch.setenv(ISA_VARIABLE, name)
        z, *gradients = three_passes(x, weight, geometry, binary, grad, half)
        return (z if binary else z / size.view(1, -1, 1, 1), *gradients)

    for single, half, other in zip(passes(isa, False), passes(isa, True), passes(ISAS[-1], True)):
        assert (half - single).norm() <= 1e-3 * single.norm()
        assert (half - other).norm() <= 1e-6 * single.norm()


@pytest.mark.parametrize('wrong', [float('nan'), float('inf')])
@pytest.mark.parametrize('binary', [True, False])
def test_what_is_no_number_stays_none_in_16_bits(binary, wrong):
    """In a gradient as in a weight: training that fails is seen to fail."""
    torch.manual_seed(0)
    x, weight, grad = training.in_order(torch.randn(2, 48, 9, 9)), torch.randn(64, 48, 3, 3), torch.randn(2, 64, 9, 9)
    weight = weight.sign() if binary else weight
    (grad if binary else weight)[0, 0, 2, 2] = wrong
    singles, halves = (three_passes(x, weight, Geometry((3, 3)), binary, grad, half) for half in (False, True))
    assert not all(torch.isfinite(single).all() for single in singles)
    for single, half in zip(singles, halves):
        assert not torch.isfinite(half[~torch.isfinite(single)]).any()


def test_a_supernets_weights_stay_in_single_precision_under_autocast(monkeypatch):
    torch.manual_seed(0)
    supernet, x = Supernet('tiny', 5), torch.randn(4, 3, 48, 48)
    arch = Arch.smallest(supernet.space)
    with torch.no_grad():  # smaller kernels come of learned matrices
        for name, p in supernet.named_parameters():
            if 'shrink' in name:
                p.add_(torch.randn_like(p) * 0.1)
    conv = supernet.stages[1][0].conv1.conv
    with torch.autocast('cpu', torch.bfloat16):
        weight = conv.latent_weight(64, 64, 3, 2)
        found = supernet(x, arch)
    assert weight.dtype == torch.float32 and torch.equal(weight, conv.latent_weight(64, 64, 3, 2))
    assert torch.isfinite(found).all()


def test_one_pixel_has_no_statistics():
    brick = BinaryConvModule(4, 4)
    with pytest.raises(ValueError, match='more than 1 value per channel'):
        brick(torch.randn(1, 4, 1, 1))
    brick.eval()
    brick(torch.randn(1, 4, 1, 1)).sum().backward()
