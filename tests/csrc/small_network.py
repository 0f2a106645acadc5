"""Writes small packed networks of random numbers: a detector of each kind of head, and a classifier. Standard library only:
the C++ programs need them where no torch is."""
import hashlib
import json
import random
import struct
from math import prod
from pathlib import Path
from typing import Any, Dict, List

_HALVES = dict(kernel=[3, 3], stride=[2, 2], padding=[1, 1], activation=True)
_STEM = dict(_HALVES, weight='int8', in_channels=3, out_channels=6)
_DOWN = dict(_HALVES, weight='binary', shortcut=True)
_POINT = dict(weight='binary', shortcut=True, activation=True)
_SAME = dict(_DOWN, stride=[1, 1], in_channels=12, out_channels=12)
_CLASSES = 3


def write(path: Path, seed: int = 0, kind: str = 'rtmdet') -> None:
    """Writes a file.

    Args:
        path (Path): The file.
        seed (int): Of its numbers. Defaults to 0.
        kind (str): One of :data:`KINDS`. Defaults to 'rtmdet'.
    """
    writer = _Writer(seed)
    writer.chain('backbone', [
        _STEM, dict(_DOWN, in_channels=6, out_channels=6, groups=2), dict(_POINT, in_channels=6, out_channels=10),
        dict(_DOWN, in_channels=10, out_channels=10), dict(_POINT, in_channels=10, out_channels=40)], [2, 4])
    network = KINDS[kind](writer)
    writer.finish(path, dict(
        network=dict(kind=kind, num_classes=_CLASSES, **network), classes=['a', 'b', 'ü'], input_size=[64, 64],
        preprocessing=dict(scale=[64, 64], pad_size=[64, 64], pad_value=[114.0] * 3, mean=[120.5] * 3, std=[60.25] * 3)))


def _rtmdet(writer: '_Writer') -> Dict[str, Any]:
    _pafpn(writer)
    for name, outputs in (('cls', _CLASSES), ('reg', 4)):
        for i in range(2):
            _tower(writer, name, i)
            writer.chain(f'bbox_head.rtm_{name}.{i}', [_predictor(12, outputs)])
    return dict(strides=[4, 8], score_thr=0.05, nms_pre=100, max_per_img=50)


def _retinanet(writer: '_Writer') -> Dict[str, Any]:
    _laterals(writer)
    for i in range(2):
        writer.chain(f'neck.outputs.{i}', [_SAME])
    writer.chain('neck.extra.0', [dict(_SAME, stride=[2, 2])])
    anchors = [[[-size, -size, size, size], [-size, -2 * size, size, 2 * size]] for size in (4.0, 8.0, 16.0)]
    for name, outputs in (('cls', _CLASSES), ('reg', 4)):
        for i in range(3):
            _tower(writer, name, i)
        writer.chain(f'bbox_head.retina_{name}', [_predictor(12, 2 * outputs)])
    return dict(neck='fpn', strides=[4, 8, 16], anchors=anchors, stds=[0.5] * 4, score_thr=0.05, nms_pre=100, max_per_img=50)


def _fcos(writer: '_Writer') -> Dict[str, Any]:
    _pafpn(writer)
    writer.chain('neck.extra.0', [dict(_SAME, stride=[2, 2])])
    for name in ('cls', 'reg'):
        for i in range(3):
            _tower(writer, name, i)
    for name, outputs in (('cls', _CLASSES), ('reg', 4), ('centerness', 1)):
        writer.chain(f'bbox_head.conv_{name}', [_predictor(12, outputs)])
    return dict(strides=[4, 8, 16], scales=[1.0, 1.5, 0.5], norm_on_bbox=True, centerness_on_reg=True, score_thr=0.05,
                nms_pre=100, max_per_img=50)


def _ssd(writer: '_Writer') -> Dict[str, Any]:
    writer.chain('neck.extra.0', [dict(_DOWN, in_channels=40, out_channels=12), _SAME])
    anchors = [[[-4.0, -4.0, 8.0, 8.0]], [[-8.0, -8.0, 16.0, 16.0]] * 2, [[-16.0, -16.0, 32.0, 32.0]] * 3]
    for i, channels in enumerate((10, 40, 12)):
        for name, outputs in (('cls', _CLASSES + 1), ('reg', 4)):
            writer.chain(f'bbox_head.{name}_convs.{i}', [_predictor(channels, outputs * len(anchors[i]))])
    return dict(neck='extra', strides=[4, 8, 16], anchors=anchors, means=[0.1] * 4, score_thr=0.05, nms_pre=100,
                max_per_img=50)


def _classifier(writer: '_Writer') -> Dict[str, Any]:
    writer.tensors['state.head.fc.weight'] = 'F32', [_CLASSES, 40], writer.floats(_CLASSES * 40, 0.4)
    writer.tensors['state.head.fc.bias'] = 'F32', [_CLASSES], writer.floats(_CLASSES, 0.4)
    return {}


#: What writes the rest of a network, and returns what its description says besides.
KINDS = dict(rtmdet=_rtmdet, retinanet=_retinanet, fcos=_fcos, ssd=_ssd, classifier=_classifier)


def _laterals(writer: '_Writer') -> None:
    for i, channels in enumerate((10, 40)):
        writer.chain(f'neck.laterals.{i}', [dict(_POINT, in_channels=channels, out_channels=12)])


def _pafpn(writer: '_Writer') -> None:
    _laterals(writer)
    writer.chain('neck.top_down.0', [_SAME])
    writer.chain('neck.downsamples.0', [dict(_SAME, stride=[2, 2])])
    writer.chain('neck.bottom_up.0', [_SAME])


def _tower(writer: '_Writer', name: str, level: int) -> None:
    shared = dict(weight_of=f'bbox_head.{name}_towers.0:0') if level else {}
    writer.chain(f'bbox_head.{name}_towers.{level}', [dict(_SAME, **shared)])


def _predictor(channels: int, outputs: int) -> Dict[str, Any]:
    return dict(weight='float', in_channels=channels, out_channels=outputs)


class _Writer:

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.described: Dict[str, Any] = {}
        self.tensors: Dict[str, Any] = {}

    def chain(self, name: str, layers: List[Dict[str, Any]], outputs: Any = None) -> None:
        weights, numbers = b'', []
        for layer in layers:
            kernel, inputs = layer.get('kernel', [1, 1]), layer['in_channels'] // layer.get('groups', 1)
            rows, channels = layer['out_channels'] * prod(kernel), layer['out_channels']
            if layer['weight'] == 'binary' and 'weight_of' not in layer:
                weights += b''.join(self.random.getrandbits(inputs).to_bytes(-(-inputs // 8), 'little') for _ in range(rows))
            elif layer['weight'] == 'int8':
                weights += self.random.randbytes(rows * inputs)
            elif layer['weight'] == 'float':
                weights += self.floats(rows * inputs, 0.4)
            if layer['weight'] == 'binary':
                numbers.append(self.floats(layer['in_channels'], 0.3))
            numbers += [self.floats(channels, 0.2), self.floats(channels, 0.5)]
            numbers += [self.floats(channels, 0.3), self.floats(channels, 0.3)] if layer.get('activation') else []
            numbers += [struct.pack(f'<{channels}f', *[1 / 64] * channels)] if layer['weight'] == 'int8' else []
        self.described[name] = dict(layers=layers, outputs=outputs)
        self.tensors[f'{name}.weights'] = 'U8', [len(weights)], weights
        self.tensors[f'{name}.numbers'] = 'F32', [len(b''.join(numbers)) // 4], b''.join(numbers)

    def floats(self, count: int, spread: float) -> bytes:
        return struct.pack(f'<{count}f', *(self.random.gauss(0, spread) for _ in range(count)))

    def finish(self, path: Path, info: Dict[str, Any]) -> None:
        header = dict(version=2, chains=self.described, **info)
        digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
        entries, data = {}, b''
        for name, (dtype, shape, content) in sorted(self.tensors.items()):
            digest.update(f"{name} torch.{'float32' if dtype == 'F32' else 'uint8'} {tuple(shape)} ".encode() + content)
            entries[name] = dict(dtype=dtype, shape=shape, data_offsets=[len(data), len(data) + len(content)])
            data += content
        header['sha256'] = digest.hexdigest()
        text = json.dumps(dict(__metadata__=dict(nasbnn_det=json.dumps(header)), **entries)).encode()
        path.write_bytes(struct.pack('<Q', len(text)) + text + data)
