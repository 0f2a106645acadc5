"""Writes a small packed detector of random numbers. Standard library only: the C++ programs need one where no torch is."""
import hashlib
import json
import random
import struct
from math import prod
from pathlib import Path
from typing import Any, Dict, List


def write(path: Path, seed: int = 0) -> None:
    """Writes the file.

    Args:
        path (Path): The file.
        seed (int): Of its numbers. Defaults to 0.
    """
    writer = _Writer(seed)
    halves = dict(kernel=[3, 3], stride=[2, 2], padding=[1, 1], activation=True)
    stem = dict(halves, weight='int8', in_channels=3, out_channels=6)
    down = dict(halves, weight='binary', shortcut=True)
    point = dict(weight='binary', shortcut=True, activation=True)
    writer.chain('backbone', [
        stem, dict(down, in_channels=6, out_channels=6, groups=2), dict(point, in_channels=6, out_channels=10),
        dict(down, in_channels=10, out_channels=10), dict(point, in_channels=10, out_channels=40)], [2, 4])
    for i, channels in enumerate((10, 40)):
        writer.chain(f'neck.laterals.{i}', [dict(point, in_channels=channels, out_channels=12)])
    same = dict(down, stride=[1, 1], in_channels=12, out_channels=12)
    writer.chain('neck.top_down.0', [same])
    writer.chain('neck.downsamples.0', [dict(same, stride=[2, 2])])
    writer.chain('neck.bottom_up.0', [same])
    for name, outputs in (('cls', 3), ('reg', 4)):
        for i in range(2):
            shared = {} if i == 0 else dict(weight_of=f'bbox_head.{name}_towers.0:0')
            writer.chain(f'bbox_head.{name}_towers.{i}', [dict(same, **shared)])
            writer.chain(f'bbox_head.rtm_{name}.{i}', [dict(weight='float', in_channels=12, out_channels=outputs)])
    network = dict(kind='rtmdet', num_classes=3, strides=[4, 8], score_thr=0.05, nms_pre=100, max_per_img=50)
    writer.finish(path, dict(
        network=network, classes=['a', 'b', 'ü'], input_size=[64, 64],
        preprocessing=dict(scale=[64, 64], pad_size=[64, 64], pad_value=[114.0] * 3, mean=[120.5] * 3, std=[60.25] * 3)))


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
        self.tensors[f'{name}.weights'] = 'U8', weights
        self.tensors[f'{name}.numbers'] = 'F32', b''.join(numbers)

    def floats(self, count: int, spread: float) -> bytes:
        return struct.pack(f'<{count}f', *(self.random.gauss(0, spread) for _ in range(count)))

    def finish(self, path: Path, info: Dict[str, Any]) -> None:
        header = dict(version=2, chains=self.described, **info)
        digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
        entries, data = {}, b''
        for name, (dtype, content) in sorted(self.tensors.items()):
            count = len(content) // (4 if dtype == 'F32' else 1)
            digest.update(f"{name} torch.{'float32' if dtype == 'F32' else 'uint8'} ({count},) ".encode() + content)
            entries[name] = dict(dtype=dtype, shape=[count], data_offsets=[len(data), len(data) + len(content)])
            data += content
        header['sha256'] = digest.hexdigest()
        text = json.dumps(dict(__metadata__=dict(nasbnn_det=json.dumps(header)), **entries)).encode()
        path.write_bytes(struct.pack('<Q', len(text)) + text + data)
