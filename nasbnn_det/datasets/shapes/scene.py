"""One detection image: shapes on clutter, with exact visible masks."""
from dataclasses import dataclass
from typing import List, Tuple

import numpy as np

from .canvas import MIN_SIDE, Canvas, extent
from .outline import OUTLINES, random_outline

CLASSES = tuple(OUTLINES)
#: The independent streams of random numbers. An image depends on
#: (seed, stream, index) and its parameters, and on nothing else.
STREAMS = ('train', 'val', 'cls_train', 'cls_val')

# Visible part of an object's area below which it is not annotated, hence not
# drawn either.
MIN_VISIBLE = .5
_PLACE_TRIES = 24


@dataclass(frozen=True)
class SceneParams:
    """What a detection image looks like.

    Args:
        image_size (int): Height and width in pixels, at least 32.
        min_objects (int): Fewest objects per image, at least 1.
        max_objects (int): Most objects per image. Where no room is left, an
            image ends up with fewer than were drawn by lot, but at least one.
        min_size (float): Smallest object, longest side before the rotation,
            as a fraction of the image size. Never below 12 pixels.
        max_size (float): Largest object, likewise.
        classes (Tuple[str, ...]): Names of the shapes to draw.

    Raises:
        ValueError: If a value is out of range.
    """
    image_size: int = 128
    min_objects: int = 1
    max_objects: int = 5
    min_size: float = .2
    max_size: float = .6
    classes: Tuple[str, ...] = CLASSES

    def __post_init__(self) -> None:
        check_image_size('image_size', self.image_size)
        if not 1 <= self.min_objects <= self.max_objects:
            raise ValueError(
                'min_objects and max_objects must satisfy 1 <= min_objects <= '
                f'max_objects, got {self.min_objects} and {self.max_objects}.')
        if not 0 < self.min_size <= self.max_size <= 1:
            raise ValueError(
                'min_size and max_size must satisfy 0 < min_size <= max_size '
                f'<= 1, got {self.min_size} and {self.max_size}.')
        unknown = [name for name in self.classes if name not in OUTLINES]
        if unknown or not self.classes:
            raise ValueError(
                f'classes must be some of {", ".join(CLASSES)}, got '
                f'{tuple(self.classes)}.')

    @property
    def pixel_sizes(self) -> Tuple[float, float]:
        """Range of object sizes in pixels."""
        low = max(self.min_size * self.image_size, 2. * MIN_SIDE)
        return low, max(self.max_size * self.image_size, low)


@dataclass(frozen=True, eq=False)
class SceneObject:
    """An annotated object.

    Attributes:
        name (str): Class name.
        mask (np.ndarray): Visible part, (H, W) bool.
    """
    name: str
    mask: np.ndarray

    @property
    def box(self) -> Tuple[int, int, int, int]:
        """x, y, width, height of the visible part, in pixels."""
        return extent(self.mask)

    @property
    def area(self) -> int:
        """Number of visible pixels."""
        return int(self.mask.sum())


def check_image_size(name: str, value: int) -> None:
    """Refuse image sizes that leave no room for objects.

    Raises:
        ValueError: If ``value`` is no integer of at least 32.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 32:
        raise ValueError(
            f'{name} must be an integer of at least 32 pixels, got {value!r}.')


def make_rng(seed: int, stream: str, index: int) -> np.random.Generator:
    """Random numbers of one image.

    Args:
        seed (int): Seed of the whole set, 0 <= seed < 2**32.
        stream (str): One of :data:`STREAMS`.
        index (int): Number of the image in its stream.

    Returns:
        np.random.Generator: A generator used by this image alone.

    Raises:
        ValueError: If an argument is out of range.
    """
    if stream not in STREAMS:
        raise ValueError(
            f'stream must be one of {", ".join(STREAMS)}, got {stream!r}.')
    if not 0 <= seed < 2**32:
        raise ValueError(f'seed must lie in [0, 2**32), got {seed}.')
    if index < 0:
        raise ValueError(f'index must not be negative, got {index}.')
    entropy = np.random.SeedSequence([seed, STREAMS.index(stream), index])
    return np.random.Generator(np.random.PCG64(entropy))


def render_scene(params: SceneParams, seed: int, stream: str,
                 index: int) -> Tuple[np.ndarray, List[SceneObject]]:
    """Make one detection image.

    Args:
        params (SceneParams): What the image looks like.
        seed (int): Seed of the whole set.
        stream (str): One of :data:`STREAMS`.
        index (int): Number of the image in its stream.

    Returns:
        Tuple[np.ndarray, List[SceneObject]]: Image (H, W, 3), uint8, BGR, and
        its objects in drawing order, later ones in front.

    Raises:
        ValueError: If seed, stream or index are out of range.
        RuntimeError: If no object finds a place, which takes unusual
            parameters.
    """
    rng = make_rng(seed, stream, index)
    low, high = params.pixel_sizes
    canvas = Canvas(params.image_size, low, rng)
    wanted = rng.integers(params.min_objects, params.max_objects + 1)
    names: List[str] = []
    for _ in range(wanted):
        name = params.classes[rng.integers(len(params.classes))]
        for _ in range(_PLACE_TRIES):
            # Log-uniform, so that small objects are as frequent as large ones.
            size = np.exp(rng.uniform(np.log(low), np.log(high)))
            points = random_outline(name, size, rng)
            # Up to about a quarter of an object may stick out of the image.
            room = params.image_size - size / 2
            points += rng.uniform(size / 4, size / 4 + room, 2)
            if canvas.place(points, MIN_VISIBLE, MIN_VISIBLE):
                names.append(name)
                break
    if not names:
        raise RuntimeError(
            f'No object could be placed in image {index} of {stream!r} with '
            f'seed {seed}; use another seed or smaller objects.')
    objects = [
        SceneObject(name, canvas.visible(number))
        for number, name in enumerate(names)
    ]
    return canvas.finish(), objects
