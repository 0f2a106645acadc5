"""Whole networks, packed, against their float form in double precision.

Where a number is zero up to rounding, a sign may turn: in the float form in single precision, more rarely in the packed
one, whose convolutions are exact. In a deep network of random weights that changes much of what follows. So most images
must agree in every number, and not all.
"""
import copy
import json

import pytest
import torch
from mmengine.registry import init_default_scope
from torch import nn

from nasbnn_det.arch import Arch
from nasbnn_det.binary import BinaryConv2d
from nasbnn_det.registry import MODELS
from nasbnn_det.runtime import PackedChain, pack
from nasbnn_det.runtime.packer import pack_layers
from nasbnn_det.supernet import PackedSubnet, Subnet, recalibrate_bn


def pictures(count, size):
    """Images with the less detail the finer, as photographs have it, normalised, shape (count, 3, size, size)."""
    generator = torch.Generator().manual_seed(0)
    layers = [(weight, torch.randn(count, 3, side, side, generator=generator))
              for weight, side in ((0.5, 4), (0.25, size // 16), (0.12, size // 4), (0.06, size))]
    images = sum(weight * nn.functional.interpolate(layer, (size, size), mode='bilinear') for weight, layer in layers)
    return images.clamp(-1, 1).mul(127.5).add(127.5).round().sub(127.5).div(127.5)


def agreeing(got, want):
    """Whether each image's numbers all agree to 1e-3, shape (N, )."""
    return ((got - want).abs().flatten(1) < 1e-3).all(1)


@pytest.mark.parametrize('config', [
    dict(type='nasbnn_det.NASBResNet', depth=18),
    dict(type='nasbnn_det.NASBResNet', depth=50),
    dict(type='nasbnn_det.BinaryResNet', depth=18, style='bireal'),
    dict(type='nasbnn_det.BinaryResNet', depth=18, style='reactnet'),
    dict(type='nasbnn_det.ReActNet'),
], ids=str)
def test_every_backbone_packs(config):
    init_default_scope('mmdet')
    torch.manual_seed(0)
    model = MODELS.build(config)
    recalibrate_bn(model, [torch.randn(4, 3, 64, 64)])
    packed, x = pack(model), torch.randn(8, 3, 64, 50)
    assert not any(isinstance(module, BinaryConv2d) for module in packed.modules())
    assert any(isinstance(module, PackedChain) for module in packed.modules())
    with torch.no_grad():
        for got, want in zip(packed(x), copy.deepcopy(model).eval().double()(x.double())):
            assert agreeing(got, want).sum() >= 6


@pytest.mark.slow
@pytest.mark.parametrize('index', range(7))
def test_the_benchmark_architectures_agree_on_pictures(index, reference):
    data = json.loads(reference('benchmark_archs.json').read_text())
    arch = Arch.from_release(data['archs'][index]['rows'], data['search_space'])
    torch.manual_seed(index)
    subnet = Subnet(arch, 1000)
    images, total = pictures(6, 224), 0.0
    recalibrate_bn(subnet, [images[:4]])
    x = images[4:]
    with torch.no_grad():
        logits = PackedSubnet(subnet.eval())(x)
        want = copy.deepcopy(subnet).double()(x.double())
        # Block by block, each on the float form's own input.
        for part in (subnet.stem, *(block for stage in subnet.stages for block in stage)):
            got = PackedChain(pack_layers([part]))(x)
            x = copy.deepcopy(part).double()(x.double()).float()
            # Counted in pixels: a turned sign changes all channels of one.
            off = ((got - x).abs() > 1e-4).any(1).float().mean().item()
            assert off < 0.01
            total += off
    assert total < 0.02
    assert agreeing(logits, want).any() or (logits - want).abs().max() < 0.3
