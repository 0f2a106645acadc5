"""A packed network as a list of steps over maps, for one image of one size."""
from dataclasses import dataclass, field
from typing import List, NamedTuple, Optional, Protocol, Sequence, Tuple

from ...runtime.layer import PackedLayer
from ...runtime.spec import LayerSpec


class Map(NamedTuple):
    """A float map, pixel after pixel, each with all its channels."""
    channels: int
    height: int
    width: int

    @property
    def values(self) -> int:
        """Numbers in it."""
        return self.channels * self.height * self.width


class Scratch(NamedTuple):
    """Memory that a step needs while it runs: floats, and words of 32 bits."""
    floats: int = 0
    words: int = 0


class Step(Protocol):
    """What a kind of step offers. Maps are named by their index in :attr:`Graph.maps`, the image by None."""

    @property
    def sources(self) -> Tuple[int, ...]:
        """Maps that it reads."""

    @property
    def target(self) -> Optional[int]:
        """The map that it writes, if any."""

    def scratch(self, maps: Sequence[Map]) -> Scratch:
        """What it needs beside them."""

    def overwrites(self, maps: Sequence[Map]) -> Optional[int]:
        """A source in whose place the target may be written, value by value; None if there is none."""


@dataclass(frozen=True)
class Convolve:
    """A packed layer. ``source`` None: it reads the image."""
    layer: PackedLayer
    source: Optional[int]
    target: int
    image: Optional[Map] = None

    @property
    def sources(self) -> Tuple[int, ...]:
        return () if self.source is None else (self.source, )

    def size(self, maps: Sequence[Map]) -> Map:
        """Of what it reads."""
        return self.image if self.source is None else maps[self.source]

    def scratch(self, maps: Sequence[Map]) -> Scratch:
        spec, size, out = self.layer.spec, self.size(maps), maps[self.target]
        window = spec.in_per_group * spec.kernel[0] * spec.kernel[1]
        if not spec.binary:  # a channel's weights as floats, and the windows of a row
            rows = 0 if is_pointwise(spec) and self.source is not None else out.width * window * spec.groups
            return Scratch(floats=window + rows)
        pixels = 1 if is_pointwise(spec) else size.height * size.width
        made = spec.shortcut and (spec.stride[0] > 1 or spec.in_channels != spec.out_channels)
        return Scratch(floats=spec.in_channels + spec.out_channels if made else 0,
                       words=pixels * -(-spec.in_channels // 32) + 3 * -(-window // 32) + spec.out_channels)

    def overwrites(self, maps: Sequence[Map]) -> Optional[int]:
        spec = self.layer.spec
        if self.source is None or not spec.binary:
            return None
        # Signs are taken before anything is written: of the whole map, or of the pixel. What a shortcut reads of the map
        # lies behind what has been written: a narrower pixel begins no later than the pixel it replaces, and where pixels
        # become wider the last is written first.
        fits = spec.stride == (1, 1) or spec.out_channels <= spec.in_channels
        return self.source if fits or not spec.shortcut else None


@dataclass(frozen=True)
class Add:
    """The sum of two maps; the first is enlarged to the second's size by nearest neighbours where they differ."""
    first: int
    second: int
    target: int

    @property
    def sources(self) -> Tuple[int, ...]:
        return self.first, self.second

    def scratch(self, maps: Sequence[Map]) -> Scratch:
        return Scratch()

    def overwrites(self, maps: Sequence[Map]) -> Optional[int]:
        return self.second


@dataclass(frozen=True)
class Average:
    """The average of all pixels."""
    source: int
    target: int

    @property
    def sources(self) -> Tuple[int, ...]:
        return (self.source, )

    def scratch(self, maps: Sequence[Map]) -> Scratch:
        return Scratch()

    def overwrites(self, maps: Sequence[Map]) -> Optional[int]:
        return None


@dataclass(frozen=True)
class Deliver:
    """Hands maps over to what follows the network: a detector's level, or the logits."""
    sources: Tuple[int, ...]
    target: Optional[int] = None

    def scratch(self, maps: Sequence[Map]) -> Scratch:
        return Scratch()

    def overwrites(self, maps: Sequence[Map]) -> Optional[int]:
        return None


@dataclass
class Graph:
    """Steps in the order they run; built by its methods, which return the index of the new map.

    Args:
        image (Map): What the network reads.
    """
    image: Map
    maps: List[Map] = field(default_factory=list)
    steps: List[Step] = field(default_factory=list)

    def _new(self, size: Map) -> int:
        self.maps.append(size)
        return len(self.maps) - 1

    def convolve(self, layer: PackedLayer, source: Optional[int]) -> int:
        """Adds a layer.

        Raises:
            ValueError: If it doesn't fit what it reads.
        """
        size = self.image if source is None else self.maps[source]
        if layer.spec.in_channels != size.channels:
            raise ValueError(f'a layer takes {layer.spec.in_channels} channels, and its input has {size.channels}')
        if source is None and layer.spec.binary:
            raise ValueError('its first layer is binary; C code is written for networks that begin with real weights, '
                             'such as a stem of 8 bits')
        target = self._new(Map(layer.spec.out_channels, *layer.spec.output_size(size.height, size.width)))
        self.steps.append(Convolve(layer, source, target, self.image if source is None else None))
        return target

    def chain(self, layers: Sequence[PackedLayer], source: Optional[int]) -> int:
        """Adds layers one after another."""
        for layer in layers:
            source = self.convolve(layer, source)
        return source

    def add(self, first: int, second: int) -> int:
        """Adds the sum of two maps."""
        target = self._new(self.maps[second])
        self.steps.append(Add(first, second, target))
        return target

    def average(self, source: int) -> int:
        """Adds the average of a map."""
        target = self._new(Map(self.maps[source].channels, 1, 1))
        self.steps.append(Average(source, target))
        return target

    def deliver(self, *sources: int) -> None:
        """Ends with maps, or a part of the network does."""
        self.steps.append(Deliver(sources))

    @property
    def delivered(self) -> List[Deliver]:
        """The steps that hand maps over, in order."""
        return [step for step in self.steps if isinstance(step, Deliver)]


def is_pointwise(spec: LayerSpec) -> bool:
    """Whether every output pixel reads its own input pixel alone."""
    return spec.kernel == (1, 1) and spec.stride == (1, 1) and spec.padding == (0, 0)
