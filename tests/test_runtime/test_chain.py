"""Packed chains against the float modules they were made of, and all instruction sets against each other to the last bit."""
import copy

import numpy as np
import pytest
import torch
from shaken_network import shake
from torch import nn

from nasbnn_det.binary import BinaryBlock, BinaryConv2d, BinaryConvModule, QuantConv2d, Stem
from nasbnn_det.runtime import PackedChain, available_isas, pack
from nasbnn_det.runtime.ops import as_arguments, packed_chain, run_chain
from nasbnn_det.runtime.packer import pack_layers


def network(kernel=3, groups=2):
    return nn.Sequential(
        Stem(3, 24), BinaryBlock(24, 48, kernel), BinaryBlock(48, 64, 3, 2, groups), BinaryBlock(64, 64, 5, 1, 4, 2),
        BinaryConvModule(64, 96, 3, dilation=2), BinaryConvModule(96, 40, 1), BinaryConvModule(40, 33, 7, 2))


@torch.no_grad()
def differences(model, x):
    """Share of outputs that differ by more than 1e-4, and of float rounding's usual size: a sign may turn where a sum
    is zero up to rounding, but not often."""
    want, got = model(x), pack(model)(x)
    assert got.shape == want.shape
    return ((got - want).abs() > 1e-4).float().mean().item()


@pytest.mark.parametrize('brick', [
    BinaryConvModule(24, 24), BinaryConvModule(24, 48), BinaryConvModule(48, 20), BinaryConvModule(16, 50, 1),
    BinaryConvModule(70, 30, 3, 2), BinaryConvModule(64, 64, 5, 2, 4), BinaryConvModule(12, 12, 3, 3, 3),
    BinaryConvModule(33, 33, 3, groups=11), BinaryConvModule(8, 8, 3, dilation=3), BinaryBlock(48, 96, 5, 2, 2, 3),
    BinaryConvModule(6, 6, 3, groups=6), BinaryConvModule(9, 4, 7, 2), Stem(3, 24), Stem(5, 40, 1)], ids=repr)
@pytest.mark.parametrize('size', [(1, 1), (7, 10), (33, 17)])
def test_a_brick_agrees_with_its_float_form(brick, size, isa):
    brick = nn.Sequential(shake(copy.deepcopy(brick)))
    torch.manual_seed(0)
    channels = brick[0].conv.in_channels if hasattr(brick[0], 'conv') else brick[0].conv1.conv.in_channels
    chain = PackedChain(pack_layers([brick]))
    x = torch.randn(2, channels, *size)
    with torch.no_grad():
        # One layer: no sign can turn. Of a block's second layer hardly any does.
        assert ((chain(x) - brick(x)).abs() > 1e-4).float().mean() < (0.01 if isinstance(brick[0], BinaryBlock) else 1e-9)


@pytest.mark.parametrize('size', [(32, 32), (45, 31), (5, 3)])
@pytest.mark.parametrize('batch', [1, 3])
def test_all_instruction_sets_give_the_same_bits(size, batch, on_isa, two_threads):
    torch.manual_seed(0)
    chain = PackedChain(pack_layers([shake(network())]), outputs=[0, 3, 5, 9])
    x = torch.randn(batch, 3, *size)
    first, *others = available_isas()
    on_isa(first)
    want = chain(x)
    for name in others:
        on_isa(name)
        for got, expected in zip(chain(x), want):
            # The stem sums real numbers; the kernels all in the same order, PyTorch in another.
            assert torch.equal(got, expected) if name != 'reference' else (got - expected).abs().max() < 1e-3


def test_binary_layers_equal_the_reference_to_the_last_bit(on_isa):
    torch.manual_seed(0)
    layers = pack_layers([shake(network())])[1:]
    chain = PackedChain(layers, outputs=list(range(len(layers))))
    x = torch.randn(2, 24, 19, 26)
    on_isa('reference')
    want = chain(x)
    for name in available_isas()[:-1]:
        on_isa(name)
        assert all(torch.equal(got, expected) for got, expected in zip(chain(x), want)), name


def test_a_network_agrees_with_its_float_form():
    model = shake(network())
    torch.manual_seed(1)
    assert differences(model, torch.randn(2, 3, 64, 50)) < 1e-3


@pytest.mark.parametrize('threads', [1, 2, 5])
def test_threads_do_not_change_a_bit(threads):
    chain = PackedChain(pack_layers([shake(network())]))
    torch.manual_seed(0)
    x, before = torch.randn(2, 3, 40, 40), torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        want = chain(x)
        torch.set_num_threads(threads)
        assert torch.equal(chain(x), want)
    finally:
        torch.set_num_threads(before)


def test_layouts_of_the_input_do_not_matter(isa):
    chain = PackedChain(pack_layers([shake(nn.Sequential(BinaryConvModule(8, 12), BinaryConvModule(12, 12, 1)))]))
    torch.manual_seed(0)
    x = torch.randn(2, 8, 9, 6)
    want = chain(x)
    assert torch.equal(chain(x.contiguous(memory_format=torch.channels_last)), want)
    assert torch.equal(chain(torch.randn(2, 8, 9, 12)[..., ::2].copy_(x)), want)
    one = chain(x[:1, :, :1, :1])
    assert torch.equal(chain(x[:1, :, :1, :1].clone()), one)


def test_a_copied_chain_runs_after_the_original_is_gone():
    chain = PackedChain(pack_layers([shake(nn.Sequential(BinaryConvModule(8, 12)))]))
    x = torch.randn(1, 8, 5, 5)
    want = chain(x)
    clone = copy.deepcopy(chain)
    del chain
    assert torch.equal(clone(x), want)


def test_what_a_chain_keeps_follows_sizes_and_weights():
    chain, other = (PackedChain(pack_layers([shake(network())]), outputs=[2, 6]) for _ in range(2))
    large, small = torch.randn(2, 3, 32, 40), torch.randn(1, 3, 17, 9)
    for x in (large, small, large):
        for got, want in zip(chain(x), run_chain(x, chain.described())):
            assert torch.equal(got, want)
    with pytest.raises(ValueError, match='takes'):
        chain(torch.randn(1, 4, 32, 40))
    assert not torch.equal(chain(large)[0], other(large)[0])
    chain.load_state_dict(other.state_dict())
    assert torch.equal(chain(large)[0], other(large)[0])
    chain.load_state_dict({key: -value for key, value in other.state_dict().items()}, assign=True)
    assert torch.equal(chain(large)[0], run_chain(large, chain.described())[0])
    assert not torch.equal(chain(large)[0], other(large)[0])


def test_lone_convolutions(isa):
    torch.manual_seed(0)
    model = nn.Sequential(BinaryConv2d(20, 12, 3, 2, 1, bias=True), nn.ReLU(), QuantConv2d(12, 7, 1))
    model[0].sign.bias.data.normal_()
    packed = pack(model.eval())
    x = torch.randn(2, 20, 11, 9)
    with torch.no_grad():
        assert (packed(x) - model(x)).abs().max() < 1e-4
    assert [type(m).__name__ for m in packed] == ['PackedChain', 'ReLU', 'PackedChain']


def test_inputs_that_do_not_fit_are_refused():
    chain = PackedChain(pack_layers([BinaryConvModule(8, 8).eval()]))
    for x, message in ((torch.zeros(1, 9, 4, 4), r'takes \(N, 8, H, W\)'), (torch.zeros(1, 8, 4, 4).double(), 'float32'),
                       (torch.zeros(0, 8, 4, 4), 'at least one image')):
        with pytest.raises(ValueError, match=message):
            chain(x)
    with pytest.raises(ValueError, match='too small for a kernel'):
        PackedChain(pack_layers([BinaryConv2d(4, 4, 5)]))(torch.zeros(1, 4, 3, 9))


def test_a_network_without_binary_layers_is_refused():
    with pytest.raises(ValueError, match='nothing to pack'):
        pack(nn.Sequential(nn.Conv2d(3, 8, 3)))


def test_an_unknown_instruction_set_is_refused(monkeypatch):
    chain = PackedChain(pack_layers([BinaryConvModule(8, 8).eval()]))
    monkeypatch.setenv('NASBNN_DET_ISA', 'altivec')
    with pytest.raises(ValueError, match='this machine can run'):
        chain(torch.zeros(1, 8, 4, 4))


def test_the_operator_has_a_shape_function_and_exports():
    chain = PackedChain(pack_layers([shake(network())]), outputs=[2, 6])
    x = torch.randn(1, 3, 32, 40)
    tensors, ints = as_arguments(chain.described())
    torch.library.opcheck(packed_chain, (x, tensors, ints), test_utils=('test_schema', 'test_faketensor'))
    exported = torch.export.export(chain, (x, )).module()
    for got, want in zip(exported(x), chain(x)):
        assert torch.equal(got, want)


def test_evaluating_with_other_memory_gives_the_same(isa):
    layers = PackedChain(pack_layers([shake(nn.Sequential(BinaryConvModule(8, 12)))])).described()
    x = torch.randn(2, 8, 6, 7)
    want, = run_chain(x, layers)
    memory = torch.empty(want.numel())

    def empty(_, shape):
        n, c, h, w = shape
        return memory.view(n, h, w, c).permute(0, 3, 1, 2)

    got, = run_chain(x, layers, empty=empty)
    assert torch.equal(got, want)


def test_random_chains_agree_on_all_instruction_sets(on_isa):
    rng = np.random.default_rng(0)
    torch.manual_seed(0)
    for _ in range(30):
        channels = int(rng.integers(1, 80))
        bricks = []
        for _ in range(int(rng.integers(1, 5))):
            # Folded at most in two: of more summands PyTorch's own order is not known.
            out = int(rng.integers((channels + 1) // 2, 80))
            bricks.append(BinaryConvModule(channels, out, int(rng.choice([1, 1, 3, 5])), int(rng.choice([1, 1, 2]))))
            channels = out
        chain = PackedChain(pack_layers([shake(nn.Sequential(*bricks))]))
        x = torch.randn(int(rng.integers(1, 4)), bricks[0].conv.in_channels, *(int(n) for n in rng.integers(1, 20, 2)))
        on_isa('reference')
        want = chain(x)
        for name in available_isas()[:-1]:
            on_isa(name)
            assert torch.equal(chain(x), want), (name, chain, x.shape)
