"""Parameters by precision and packed bytes of any model."""
import tempfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_spaces import archs
from safetensors.torch import load_file
from torch import nn

from nasbnn_det.arch import SPACES, Arch
from nasbnn_det.binary import BinaryConv2d, BinaryConvModule, QuantConv2d, Stem
from nasbnn_det.costs.module_size import measure_model, total_packed_bytes, total_params
from nasbnn_det.costs.params import Params, count_params
from nasbnn_det.runtime import PackedFile, pack, save_packed
from nasbnn_det.runtime.file import split_packed
from nasbnn_det.supernet import Subnet


@given(archs(), st.integers(1, 9))
def test_a_subnet_has_the_parameters_of_its_architecture(arch, classes):
    assert total_params(measure_model(Subnet(arch, classes))) == count_params(arch, classes)


def test_a_brick_by_hand():
    # 3 x 3 taps of 36 filters; 70 / 2 = 35 input channels a group fill five bytes.
    rows = measure_model(BinaryConvModule(70, 36, 3, groups=2))
    assert [(r.name, r.kind, r.params, r.packed_bytes) for r in rows] == [
        ('conv', 'BinaryConv2d', Params(36 * 35 * 9, 0, 0), 36 * 9 * 5),
        ('conv.sign', 'RSign', Params(0, 0, 70), 4 * 70),
        ('bn', 'BatchNorm2d', Params(0, 0, 2 * 36), 8 * 36),
        ('act', 'RPReLU', Params(0, 0, 3 * 36), 8 * 36)]  # one of three goes into bn


@pytest.mark.parametrize('channels, size', [(1, 1), (8, 1), (33, 5), (64, 8)])
def test_taps_fill_whole_bytes(channels, size):
    row = measure_model(BinaryConvModule(channels, 5, 1))[0]
    assert row.packed_bytes == 5 * size and row.params.bits1 == 5 * channels


def test_eight_bits_and_float():
    rows = {r.name: r for r in measure_model(Stem(3, 10))}
    assert rows['conv'].params == Params(0, 270, 10) and rows['conv'].packed_bytes == 270 + 40
    assert measure_model(nn.Sequential(QuantConv2d(4, 6, 1)))[0].params == Params(0, 24, 6 + 6)
    assert total_packed_bytes(measure_model(nn.Linear(4, 6))) == 4 * (24 + 6)


def test_a_binary_convolution_without_a_norm_keeps_its_scale():
    alone, = (r for r in measure_model(nn.Sequential(BinaryConv2d(4, 6, 1))) if r.kind == 'BinaryConv2d')
    assert alone.params == Params(24, 0, 6)
    followed, = (r for r in measure_model(nn.Sequential(BinaryConv2d(4, 6, 1), nn.BatchNorm2d(6)))
                 if r.kind == 'BinaryConv2d')
    assert followed.params == Params(24, 0, 0)


def test_what_training_alone_needs_is_not_stored():
    plain, trained = BinaryConvModule(8, 8, 3), BinaryConvModule(8, 8, 3, binarization='nasbnn')
    assert sum(p.numel() for p in trained.parameters()) == sum(p.numel() for p in plain.parameters()) + 81
    assert measure_model(plain) == measure_model(trained)


def test_shared_convolutions_are_stored_once():
    first = BinaryConvModule(8, 8)
    both = nn.ModuleList([first, BinaryConvModule(8, 8, conv=first.conv)])
    one, two = total_params(measure_model(nn.ModuleList([first]))), total_params(measure_model(both))
    assert two == one + Params(0, 0, 8 * (2 + 3))
    tied = nn.ModuleList([nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False)])
    tied[1].weight = tied[0].weight
    assert total_params(measure_model(tied)) == Params(0, 0, 9)


@given(archs())
@settings(max_examples=10, deadline=None)
def test_a_packed_file_has_these_bytes(arch):
    net = Subnet(arch, 3)
    with tempfile.TemporaryDirectory() as folder:
        chains, state = split_packed(pack(net))
        save_packed(f'{folder}/net.safetensors', PackedFile(chains, state))
        tensors = load_file(f'{folder}/net.safetensors')
    assert sum(t.numel() * t.element_size() for t in tensors.values()) == total_packed_bytes(measure_model(net))


def test_the_packed_file_is_a_fraction_of_the_float_one():
    net = Subnet(Arch.biggest(SPACES['imagenet']), 10)
    float_bytes = sum(p.numel() for p in net.parameters()) * 4
    assert total_packed_bytes(measure_model(net)) < float_bytes / 20
