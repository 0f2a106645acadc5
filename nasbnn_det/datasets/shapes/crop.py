"""One classification image: a single shape that fills most of the image."""
from typing import Tuple

import numpy as np

from .canvas import Canvas
from .outline import random_outline
from .scene import CLASSES, check_image_size, make_rng

# Longest side of the shape's box as a fraction of the crop.
_BOX_RANGE = (.65, .95)
# Part of the shape that stays visible behind a neighbour.
_MIN_KEPT = .8
_TRIES = 24


def render_crop(size: int, seed: int, stream: str,
                index: int) -> Tuple[np.ndarray, str]:
    """Make one classification image, of class ``index`` modulo five.

    The shape lies wholly inside the image, with a margin. In some images a
    smaller neighbour sticks in from the border, behind or in front of it.

    Args:
        size (int): Height and width in pixels, at least 32.
        seed (int): Seed of the whole set.
        stream (str): One of :data:`nasbnn_det.datasets.shapes.STREAMS`.
        index (int): Number of the image in its stream.

    Returns:
        Tuple[np.ndarray, str]: Image (size, size, 3), uint8, BGR, and the
        class name.

    Raises:
        ValueError: If an argument is out of range.
        RuntimeError: If the shape finds no place; not seen so far.
    """
    check_image_size('size', size)
    rng = make_rng(seed, stream, index)
    name = CLASSES[index % len(CLASSES)]
    canvas = Canvas(size, .3 * size, rng)
    if rng.random() < .2:
        _place_neighbour(canvas, size, rng)
    if not _place_subject(canvas, name, size, rng):
        raise RuntimeError(
            f'No {name} could be placed in crop {index} of {stream!r} with '
            f'seed {seed}; use another seed.')
    if rng.random() < .2:
        _place_neighbour(canvas, size, rng)
    return canvas.finish(), name


def _place_subject(canvas: Canvas, name: str, size: int,
                   rng: np.random.Generator) -> bool:
    for _ in range(_TRIES):
        points = random_outline(name, 1., rng)
        span = np.ptp(points, axis=0)
        scale = rng.uniform(*_BOX_RANGE) * size / span.max()
        margin = (size - span * scale) / 2
        shift = size / 2 + rng.uniform(-.8, .8, 2) * margin
        points -= (points.max(axis=0) + points.min(axis=0)) / 2
        if canvas.place(points * scale + shift, 1., 0.):
            return True
    return False


def _place_neighbour(canvas: Canvas, size: int,
                     rng: np.random.Generator) -> None:
    """Let a smaller shape stick in from the border, at most half of it."""
    name = CLASSES[rng.integers(len(CLASSES))]
    points = random_outline(name, rng.uniform(.25, .45) * size, rng)
    centre = rng.uniform(0, size, 2)
    centre[rng.integers(2)] = rng.choice((0, size))
    canvas.place(points + centre, 0., _MIN_KEPT)
