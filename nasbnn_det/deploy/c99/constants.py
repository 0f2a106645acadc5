"""Numbers as C arrays; equal arrays are written once."""
from typing import Any, Dict, Iterable, List, Tuple

import numpy as np

from ...runtime.layer import PackedLayer
from ...runtime.native_network import prepare

_TYPES = {np.dtype(np.float32): 'float', np.dtype(np.uint32): 'uint32_t', np.dtype(np.int8): 'int8_t',
          np.dtype(np.uint8): 'uint8_t', np.dtype(np.uint16): 'uint16_t'}
_LINE = 120
#: The members of ``struct layer`` that are numbers of each channel.
_PER_CHANNEL = ('step', 'threshold', 'scale', 'shift', 'slope', 'bias_out')


def c_float(value: float) -> str:
    """A float32 as a C literal of the same bits.

    Raises:
        ValueError: If it is infinite or no number, for which C has no literals.
    """
    if not np.isfinite(value):
        raise ValueError(f'its weights hold the value {value}; finite numbers are wanted')
    return f'{float(value).hex()}f'


def c_values(values: np.ndarray) -> str:
    """The inside of an initialiser, in lines."""
    if values.dtype == np.float32:
        words: Iterable[str] = map(c_float, values.ravel())
    else:
        words = (f'0x{v:08x}u' for v in values.ravel()) if values.dtype == np.uint32 else map(str, values.ravel())
    lines, line = [], ' '
    for word in words:
        if len(line) + len(word) + 2 > _LINE:
            lines.append(line)
            line = ' '
        line += f' {word},'
    return '\n'.join([*lines, line])


class Constants:
    """Collects arrays.

    Attributes:
        text (list[str]): Their definitions, in order.
        size (int): Bytes of them all.
    """

    def __init__(self) -> None:
        self.text: List[str] = []
        self.size = 0
        self._names: Dict[Tuple[str, bytes], str] = {}

    def add(self, name: str, values: np.ndarray) -> str:
        """Defines an array, if there is none of the same values yet; returns its name."""
        key = (values.dtype.str, values.tobytes())
        if key not in self._names:
            self._names[key] = name
            self.size += values.nbytes
            self.text.append(f'static const {_TYPES[values.dtype]} {name}[{values.size}] = {{\n{c_values(values)}\n}};')
        return self._names[key]

    def layer(self, index: int, layer: PackedLayer) -> str:
        """Defines a layer's arrays; returns the initialiser of its ``struct layer``."""
        spec = layer.spec
        numbers = {name: value.numpy() for name, value in layer.plain().items()}
        weight = numbers.pop('weight')
        if spec.binary:
            weight = pack_bits(weight)
            numbers['threshold'] = -numbers.pop('sign_shift')
        elif spec.weight == 'int8':
            weight = np.rint(weight / numbers['step'].reshape(-1, 1, 1, 1)).astype(np.int8)
        names = [self.add(f'weight_{index}', weight)]
        names += [self.add(f'{name}_{index}', numbers[name].astype(np.float32)) if name in numbers else '0'
                  for name in _PER_CHANNEL]
        kind = {'binary': 'BINARY', 'int8': 'INT8', 'float': 'FLOAT'}[spec.weight]
        sizes = (spec.in_channels, spec.out_channels, spec.groups, *spec.kernel, *spec.stride, *spec.padding, *spec.dilation,
                 int(spec.shortcut))
        return f'  {{{", ".join([*names, kind, *map(str, sizes)])}}},'


def pack_bits(weight: np.ndarray) -> np.ndarray:
    """Bits of each output channel by kernel position and input channel, uint32, shape (O, words).

    Args:
        weight (np.ndarray): Bool, shape (O, I, kh, kw), True is +1.
    """
    rows = weight.transpose(0, 2, 3, 1).reshape(len(weight), -1)
    padded = np.zeros((len(rows), -(-rows.shape[1] // 32) * 32), bool)
    padded[:, :rows.shape[1]] = rows
    return np.packbits(padded, axis=1, bitorder='little').view('<u4').astype(np.uint32)


def prepared_bytes(preprocessing: Dict[str, Any]) -> Tuple[np.ndarray, List[int]]:
    """What each byte becomes in each of the network's channels, float32, shape (3, 256); which byte each channel reads."""
    every = np.repeat(np.arange(256, dtype=np.uint8).reshape(1, 256, 1), 3, 2)
    return prepare(preprocessing, every).planes[:, 0], [2, 1, 0] if preprocessing.get('to_rgb') else [0, 1, 2]
