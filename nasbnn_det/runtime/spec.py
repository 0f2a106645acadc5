"""What a packed layer is, apart from its numbers."""
from dataclasses import asdict, dataclass, fields
from typing import Any, Dict, Tuple

from .bits import WORD, words_of

_MAX_CHANNELS = 1 << 14
#: Of the tensors a layer becomes; what a stranger's file can make us allocate.
_MAX_TILED = 1 << 26
_MAX_MAP = 1 << 29

#: Names of :meth:`LayerSpec.to_ints`'s numbers; the fields of ``NbLayer`` in ``csrc/kernels.h`` begin with all but the last.
INT_NAMES = ('binary', 'in_channels', 'out_channels', 'groups', 'kernel_h', 'kernel_w', 'stride_h', 'stride_w', 'pad_h',
             'pad_w', 'dilation_h', 'dilation_w', 'shortcut', 'activation')


@dataclass(frozen=True)
class LayerSpec:
    """One convolution and what follows it: ``y = conv(x) * scale + shift``, + shortcut(x), then RPReLU.

    Args:
        weight (str): 'binary': ±a weights on the signs of the input; 'int8' or 'float': real weights on the input itself
            (8 bits are a matter of the file, they run as float).
        in_channels (int): Channels of the input.
        out_channels (int): Channels of the output.
        groups (int): Groups of the convolution.
        kernel (tuple[int, int]): Height and width; likewise the other pairs.
        stride (tuple[int, int]): Stride.
        padding (tuple[int, int]): Pixels outside the image that the kernel meets; they do not count.
        dilation (tuple[int, int]): Dilation.
        shortcut (bool): The input, pooled and its channels repeated or folded, is added.
        activation (bool): RPReLU follows.

    Raises:
        ValueError: If a value is none that a layer can have.
    """
    weight: str
    in_channels: int
    out_channels: int
    groups: int = 1
    kernel: Tuple[int, int] = (1, 1)
    stride: Tuple[int, int] = (1, 1)
    padding: Tuple[int, int] = (0, 0)
    dilation: Tuple[int, int] = (1, 1)
    shortcut: bool = False
    activation: bool = False

    def __post_init__(self) -> None:
        if self.weight not in ('binary', 'int8', 'float'):
            raise ValueError(f"weight is {self.weight!r}; allowed are 'binary', 'int8' and 'float'")
        for name in ('in_channels', 'out_channels', 'groups'):
            _check_int(name, getattr(self, name), 1, _MAX_CHANNELS)
        for name, low, high in (('kernel', 1, 31), ('stride', 1, 31), ('padding', 0, 1024), ('dilation', 1, 64)):
            pair = getattr(self, name)
            if not isinstance(pair, (tuple, list)) or len(pair) != 2:
                raise ValueError(f'{name} is {pair!r}; a pair of integers is wanted')
            for value in pair:
                _check_int(name, value, low, high)
            object.__setattr__(self, name, tuple(pair))
        for name in ('shortcut', 'activation'):
            if not isinstance(getattr(self, name), bool):
                raise ValueError(f'{name} is {getattr(self, name)!r}; allowed are true and false')
        if self.in_channels % self.groups or self.out_channels % self.groups:
            raise ValueError(f'in_channels={self.in_channels} and out_channels={self.out_channels} must both be '
                             f'divisible by groups={self.groups}')
        if any(p > max(64, d * (k - 1)) for p, d, k in zip(self.padding, self.dilation, self.kernel)):
            raise ValueError(f'padding {self.padding} is too large; allowed are 64 and what a kernel of {self.kernel} with '
                             f'dilation {self.dilation} reaches')
        if self.tiled_values > _MAX_TILED:
            raise ValueError(f'a layer of {self.in_channels} to {self.out_channels} channels in {self.groups} groups with a '
                             f'kernel of {self.kernel} is too large: {self.tiled_values} values, {_MAX_TILED} are allowed')
        if self.shortcut and (self.binary is False or self.stride[0] != self.stride[1] or
                              any(2 * p != d * (k - 1) or k % 2 == 0
                                  for p, d, k in zip(self.padding, self.dilation, self.kernel))):
            raise ValueError('a shortcut needs a binary layer with an odd kernel, a padding that keeps the size and one '
                             'stride for both directions')

    @property
    def binary(self) -> bool:
        """Whether it multiplies signs."""
        return self.weight == 'binary'

    @property
    def in_per_group(self) -> int:
        """Input channels of a group."""
        return self.in_channels // self.groups

    @property
    def tiles(self) -> int:
        """Tiles of 32 output channels in a group."""
        return words_of(self.out_channels // self.groups)

    @property
    def tiled_channels(self) -> int:
        """Output channels when every group is padded to whole tiles."""
        return self.groups * self.tiles * WORD

    @property
    def tiled_values(self) -> int:
        """Numbers in the weight that the kernels read."""
        per_position = words_of(self.in_per_group) if self.binary else self.in_per_group
        return self.tiled_channels * self.kernel[0] * self.kernel[1] * per_position

    @property
    def weight_shape(self) -> Tuple[int, int, int, int]:
        """Shape of the plain weight."""
        return (self.out_channels, self.in_per_group, *self.kernel)

    def output_size(self, height: int, width: int) -> Tuple[int, int]:
        """Height and width of the output for an input's.

        Raises:
            ValueError: If the kernel is larger than the padded input, or the output too large.
        """
        sizes = []
        for i, size in enumerate((height, width)):
            size = size + 2 * self.padding[i] - self.dilation[i] * (self.kernel[i] - 1) - 1
            if size < 0:
                raise ValueError(f'an input of {height} x {width} pixels is too small for a kernel of {self.kernel}, '
                                 f'dilation {self.dilation}, padding {self.padding}')
            sizes.append(size // self.stride[i] + 1)
        if sizes[0] * sizes[1] * self.out_channels > _MAX_MAP:
            raise ValueError(f'a map of {sizes[0]} x {sizes[1]} pixels and {self.out_channels} channels is too large; '
                             f'{_MAX_MAP} values are allowed')
        return sizes[0], sizes[1]

    def to_dict(self) -> Dict[str, Any]:
        """JSON-ready form."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Any) -> 'LayerSpec':
        """Reads :meth:`to_dict`'s form.

        Raises:
            ValueError: If a key is unknown or missing, or a value is wrong.
        """
        if not isinstance(data, dict):
            raise ValueError(f'a layer is described by a dict, not by {type(data).__name__}')
        names = {field.name for field in fields(cls)}
        if set(data) != names:
            raise ValueError(f'a layer is described by the keys {sorted(names)}; given are {sorted(map(str, data))}')
        return cls(**data)

    def to_ints(self) -> Tuple[int, ...]:
        """The numbers that stand for it in the custom op, named and ordered by :data:`INT_NAMES`."""
        return (int(self.binary), self.in_channels, self.out_channels, self.groups, *self.kernel, *self.stride,
                *self.padding, *self.dilation, int(self.shortcut), int(self.activation))

    @classmethod
    def from_ints(cls, n: Tuple[int, ...]) -> 'LayerSpec':
        """Reads :meth:`to_ints`'s form; real weights come back as 'float'."""
        return cls('binary' if n[0] else 'float', n[1], n[2], n[3], n[4:6], n[6:8], n[8:10], n[10:12], bool(n[12]),
                   bool(n[13]))


def _check_int(name: str, value: Any, low: int, high: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ValueError(f'{name} is {value!r}; allowed are integers from {low} to {high}')
