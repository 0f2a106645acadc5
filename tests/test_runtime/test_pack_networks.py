"""Whole networks, packed, against their float form in double precision.

Where a number is zero up to rounding, a sign may turn: in the float form in single precision, more rarely in the packed
one, whose convolutions are exact. In a deep network of random weights that changes much of what follows. So most images
must agree in every number, and not all.
"""
import copy
import json
from pathlib import Path

import cv2
import pytest
import torch
from mmengine.registry import init_default_scope

from nasbnn_det.arch import Arch
from nasbnn_det.binary import BinaryConv2d
from nasbnn_det.registry import MODELS
from nasbnn_det.runtime import PackedChain, pack
from nasbnn_det.runtime.pack import pack_layers
from nasbnn_det.supernet import PackedSubnet, Subnet, recalibrate_bn

_PHOTOGRAPHS = Path(__file__).resolve().parents[3] / 'shared' / 'data' / 'coco_tiny' / 'val'


def photographs(count, size):
    """Real images, normalised, shape (count, 3, size, size)."""
    files = sorted(_PHOTOGRAPHS.glob('*.jpg'))[:count]
    if len(files) < count:
        pytest.skip(f'there are no photographs in {_PHOTOGRAPHS}')
    images = [cv2.resize(cv2.imread(str(file)), (size, size)) for file in files]
    return torch.stack([torch.from_numpy(image).permute(2, 0, 1).float().sub(127.5).div(127.5) for image in images])


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
def test_the_benchmark_architectures_agree_on_photographs(index, reference):
    data = json.loads(reference('benchmark_archs.json').read_text())
    arch = Arch.from_release(data['archs'][index]['rows'], data['search_space'])
    torch.manual_seed(index)
    subnet = Subnet(arch, 1000)
    recalibrate_bn(subnet, [photographs(4, 224)])
    x, total = photographs(6, 224)[4:], 0.0
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
