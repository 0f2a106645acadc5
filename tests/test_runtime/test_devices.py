"""Packed layers stay float32 on the CPU, whatever a model is told; maps may come from other devices."""
import pytest
import torch
from shaken_network import shake
from torch import nn

from nasbnn_det.binary import BinaryConv2d, BinaryConvModule, QuantConv2d, Stem
from nasbnn_det.runtime import PackedChain, pack
from nasbnn_det.runtime.ops import run_dots, run_sums
from nasbnn_det.runtime.packer import pack_layers

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason='there is no GPU')
CHANGES = dict(
    half=lambda model: model.half(), double=lambda model: model.double(), bfloat16=lambda model: model.bfloat16(),
    meta=lambda model: model.to('meta'), channels_last=lambda model: model.to(memory_format=torch.channels_last),
    to_empty=lambda model: model.to_empty(device='cpu'))


def network():
    torch.manual_seed(0)
    return shake(nn.Sequential(Stem(3, 12), BinaryConvModule(12, 24, 3, 2, 2), BinaryConvModule(24, 16, 1),
                               QuantConv2d(16, 5, 1)))


@pytest.mark.parametrize('change', CHANGES)
def test_layers_stay_what_the_kernels_read(change):
    chain, x = pack(network()), torch.randn(2, 3, 20, 17)
    want = chain(x)
    other = pack(network())
    assert torch.equal(CHANGES[change](chain)(x), want)  # after the first call
    assert torch.equal(CHANGES[change](other)(x), want)  # before it
    assert {t.dtype for t in other.state_dict().values()} <= {torch.float32, torch.int32}


def test_tensors_of_other_types_are_refused():
    chain, x = pack(network()), torch.randn(1, 3, 8, 8)
    for other in (x.half(), x.double()):
        with pytest.raises(ValueError, match='takes float32, not'):
            chain(other)
    with pytest.raises(ValueError, match="'meta' holds no numbers"):
        chain(x.to('meta'))
    chain(x)
    chain.layers[1].scale = chain.layers[1].scale.half()
    with pytest.raises(ValueError, match='scale of a packed layer is torch.float16'):
        chain(x)
    state = pack(network()).state_dict()
    chain.load_state_dict({key: t.double() if t.is_floating_point() else t for key, t in state.items()}, assign=True)
    with pytest.raises(ValueError, match='is torch.float64'):
        chain(x)


def test_plain_sums_are_taken_on_the_cpu_alone():
    layer = PackedChain(pack_layers([BinaryConv2d(8, 8, 3)])).layers[0]
    x = torch.zeros(1, 8, 5, 5, device='meta')
    for run in (lambda: run_dots(x, layer.spec, layer.tensors()), lambda: run_sums(x, [(layer.spec, layer.tensors(), -1)])):
        with pytest.raises(ValueError, match='on the CPU'):
            run()


@needs_gpu
def test_a_chain_takes_maps_of_a_gpu_and_gives_them_there(monkeypatch):
    chain, x = pack(network()), torch.randn(2, 3, 20, 17)
    want = chain(x)
    monkeypatch.setattr('nasbnn_det.runtime.ops.run_reference', None)  # the kernels must run
    got = chain.cuda()(x.cuda())
    assert got.is_cuda and torch.equal(got.cpu(), want)


@needs_gpu
def test_a_network_on_a_gpu_packs():
    model, x = network(), torch.randn(2, 3, 20, 17)
    want = pack(model)(x)
    assert torch.equal(pack(model.cuda())(x.cuda()).cpu(), want)


@needs_gpu
def test_parts_that_are_not_packed_may_run_on_a_gpu():
    model = nn.Sequential(network(), nn.BatchNorm2d(5).eval())
    x = torch.randn(2, 3, 20, 17)
    assert torch.allclose(pack(model).cuda()(x.cuda()).cpu(), pack(model)(x), atol=1e-5)
