"""Packed files of small networks with numbers as after a training."""
import sys
from pathlib import Path

import numpy as np
import torch

from nasbnn_det.arch import SPACES, Arch
from nasbnn_det.runtime import LayerSpec, PackedChain, PackedFile, PackedLayer, pack, save_packed
from nasbnn_det.runtime.file import split_packed
from nasbnn_det.runtime.packer import pack_layers
from nasbnn_det.supernet import Subnet, recalibrate_bn

TESTS = Path(__file__).resolve().parents[1]
sys.path += [str(TESTS), str(TESTS / 'test_runtime')]  # what other folders' tests share

from shaken_network import shake  # noqa: E402


def write_classifier(path, size=32):
    """The smallest network of the space 'tiny'."""
    torch.manual_seed(0)
    subnet = shake(Subnet(Arch.smallest(SPACES['tiny']), 10))
    recalibrate_bn(subnet, [torch.randn(8, 3, size, size)])
    chain = PackedChain(pack_layers([subnet.stem, *subnet.stages]))
    return _save_classifier(path, chain, subnet.fc.weight.detach(), subnet.fc.bias.detach(), size)


def _save_classifier(path, chain, weight, bias, size):
    preprocessing = dict(mean=[120., 110, 100], std=[60., 50, 70], to_rgb=True)
    save_packed(path, PackedFile(dict(backbone=chain), {'head.fc.weight': weight, 'head.fc.bias': bias}, dict(
        network=dict(kind='classifier', num_classes=len(weight)), classes=[], preprocessing=preprocessing,
        input_size=[size, size])))
    return path


def write_random(path, seed):
    """Layers of all kinds behind a stem: groups, strides, dilation, rectangular kernels, widths that are no multiples of 32,
    shortcuts that repeat, fold and pool, odd sizes."""
    rng = np.random.default_rng(seed)
    generator = torch.Generator().manual_seed(seed)
    layers, channels = [_layer(LayerSpec('int8', 3, 20, 1, (3, 3), (2, 2), (1, 1), activation=True), generator)], 20
    for _ in range(6):
        groups = int(rng.choice([1, 1, 2, 4]))
        groups = groups if channels % groups == 0 else 1
        out = groups * int(rng.integers(2, 40))
        side = int(rng.choice([1, 1, 3, 5]))
        stride = int(rng.choice([1, 1, 2]))
        dilation = int(rng.choice([1, 2])) if side > 1 else 1
        if rng.random() < 0.8:
            spec = LayerSpec('binary', channels, out, groups, (side, side), (stride, stride), (dilation * (side // 2), ) * 2,
                             (dilation, dilation), True, bool(rng.random() < 0.7))
        else:
            spec = LayerSpec('binary', channels, out, groups, (side, 1), (stride, 1), (side // 2, 2), activation=True)
        layers.append(_layer(spec, generator))
        channels = out
    layers.append(_layer(LayerSpec('float', channels, 7, 1, (3, 3), (1, 1), (1, 1)), generator))
    linear = torch.randn(3, 7, generator=generator)
    return _save_classifier(path, PackedChain(layers), linear, torch.randn(3, generator=generator), 37)


def _layer(spec, generator):
    def randn(*shape):
        return torch.randn(shape, generator=generator)

    numbers = dict(scale=0.1 * randn(spec.out_channels), shift=randn(spec.out_channels))
    weight = randn(*spec.weight_shape)
    if spec.binary:
        weight, numbers['sign_shift'] = weight > 0, 0.5 * randn(spec.in_channels)
    if spec.weight == 'int8':
        numbers['step'] = 0.01 + 0.01 * torch.rand(spec.out_channels, generator=generator)
        levels = torch.randint(-128, 128, spec.weight_shape, generator=generator)
        weight = levels.float() * numbers['step'].view(-1, 1, 1, 1)
    if spec.activation:
        numbers.update(slope=0.3 * randn(spec.out_channels), bias_out=randn(spec.out_channels))
    return PackedLayer(spec, weight, **numbers)


def write_detector(path, size=64):
    """RTMDet with the smallest backbone; logits and boxes that differ."""
    from detectors import CLASSES, tiny_rtmdet

    from nasbnn_det.deploy.packing import describe_network
    model = shake(tiny_rtmdet())
    recalibrate_bn(model, [torch.randn(4, 3, size, size)])
    for predictor in (*model.bbox_head.rtm_cls, *model.bbox_head.rtm_reg):
        torch.nn.init.normal_(predictor.weight, std=0.3)
    packed = pack(model)
    chains, state = split_packed(packed)
    save_packed(path, PackedFile(chains, state, dict(
        network=describe_network(packed), classes=['cat', 'a "dog"?', 'öl\\', 'd'][:CLASSES],
        preprocessing=dict(scale=[size, size], pad_size=[size, size], mean=[127.5] * 3, std=[127.5] * 3, to_rgb=True,
                           divisor=32), input_size=[size, size])))
    return path
