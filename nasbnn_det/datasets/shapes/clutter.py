"""Things in the background that are no object of any class.

Everything here is thin (lines, arcs) or well below half of the smallest
object (dots, irregular blobs), so that nobody can take it for an object.
"""
import cv2
import numpy as np

from .texture import related_color

_BITS = 3


def draw_clutter(image: np.ndarray, base: np.ndarray, min_size: float,
                 rng: np.random.Generator) -> None:
    """Draw lines, arcs, dots and blobs onto a background, in place.

    Args:
        image (np.ndarray): Background (H, W, 3), uint8, BGR.
        base (np.ndarray): Main colour of the background (3,).
        min_size (float): Size of the smallest object, in pixels.
        rng (np.random.Generator): Source of randomness.
    """
    height, width = image.shape[:2]
    density = max(height * width / 128**2, .35)
    for draw, most in ((_line, 5), (_arc, 4), (_dot, 16), (_blob, 6)):
        for _ in range(rng.integers(0, round(most * density) + 1)):
            color = related_color(base, .3, .9, rng).tolist()
            where = rng.uniform(0, (width, height))
            draw(image, where, color, min_size, rng)


def _fixed(points: np.ndarray) -> np.ndarray:
    """Pixels to OpenCV's fixed-point coordinates."""
    return np.round(points * (1 << _BITS)).astype(np.int32)


def _line(image, where, color, min_size, rng):
    angle = rng.uniform(0, np.pi)
    reach = rng.uniform(.5, 3.) * min_size
    step = reach * np.array([np.cos(angle), np.sin(angle)])
    start, end = _fixed(where - step), _fixed(where + step)
    cv2.line(image, start.tolist(), end.tolist(), color, 1, cv2.LINE_AA, _BITS)


def _arc(image, where, color, min_size, rng):
    # At most a bit more than half a turn: a closed ring would be a circle.
    axes = _fixed(rng.uniform(.3, 1., 2) * min_size)
    start = rng.uniform(0, 360)
    cv2.ellipse(image,
                _fixed(where).tolist(), axes.tolist(), rng.uniform(0, 360),
                start, start + rng.uniform(60, 200), color, 1, cv2.LINE_AA,
                _BITS)


def _dot(image, where, color, min_size, rng):
    # Not cv2.ellipse: at this size it draws little squares.
    angle = np.arange(16) * np.pi / 8
    axes = rng.uniform(.07, .12, 2) * min_size
    _polygon(image, where, angle, axes, color)


def _blob(image, where, color, min_size, rng):
    corners = rng.integers(6, 10)
    angle = np.arange(corners) + rng.uniform(-.3, .3, corners)
    radius = rng.uniform(.08, .2, (corners, 1)) * min_size
    _polygon(image, where, angle * 2 * np.pi / corners, radius, color)


def _polygon(image, where, angle, radius, color):
    offset = radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    points = _fixed(where + offset)
    cv2.fillPoly(image, points[None], color, cv2.LINE_AA, _BITS)
