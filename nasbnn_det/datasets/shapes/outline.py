"""Outlines of the five shapes and their anti-aliased rasterisation."""
from dataclasses import dataclass
from typing import Callable, Dict, Optional, Tuple

import cv2
import numpy as np

#: Furthest an object leans from upright, in radians: as in photographs, where most things stand.
MAX_TILT = np.pi / 9
SUPERSAMPLE = 4
_FRACTION_BITS = 4


def _circle(rng: np.random.Generator) -> np.ndarray:
    angle = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    return 0.5 * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def _square(rng: np.random.Generator) -> np.ndarray:
    return np.array([[-.5, -.5], [.5, -.5], [.5, .5], [-.5, .5]])


def _triangle(rng: np.random.Generator) -> np.ndarray:
    # A little skew, so that not every triangle is isosceles.
    return np.array([[rng.uniform(-.12, .12), -.46], [.5, .46], [-.5, .46]])


def _star(rng: np.random.Generator) -> np.ndarray:
    angle = np.arange(10) * np.pi / 5
    radius = np.where(np.arange(10) % 2, 0.54 * rng.uniform(.36, .48), 0.54)
    return np.stack([radius * np.sin(angle), -radius * np.cos(angle)], axis=1)


def _cross(rng: np.random.Generator) -> np.ndarray:
    a = rng.uniform(.13, .19)
    return np.array([[-a, -.5], [a, -.5], [a, -a], [.5, -a], [.5, a], [a, a],
                     [a, .5], [-a, .5], [-a, a], [-.5, a], [-.5, -a],
                     [-a, -a]])


OUTLINES: Dict[str, Callable[[np.random.Generator], np.ndarray]] = {
    'circle': _circle,
    'square': _square,
    'triangle': _triangle,
    'star': _star,
    'cross': _cross,
}


def random_outline(kind: str, size: float,
                   rng: np.random.Generator) -> np.ndarray:
    """Draw one outline: moderate aspect ratio, roughly upright.

    Args:
        kind (str): A key of :data:`OUTLINES`.
        size (float): Longest side before the rotation, in pixels.
        rng (np.random.Generator): Source of randomness.

    Returns:
        np.ndarray: Vertices (N, 2), float64, x and y in pixels around (0, 0).
    """
    points = OUTLINES[kind](rng) * (size, size * rng.uniform(.75, 1.))
    angle = rng.uniform(-MAX_TILT, MAX_TILT)
    cos, sin = np.cos(angle), np.sin(angle)
    return points @ np.array([[cos, sin], [-sin, cos]])


@dataclass(frozen=True, eq=False)
class Stamp:
    """A rasterised outline.

    Attributes:
        left (int): Image column of the first column of the maps; it may lie
            outside the image.
        top (int): Image row of the first row of the maps.
        coverage (np.ndarray): Covered part of each pixel, (h, w) float32 in
            [0, 1].
        stroke (np.ndarray | None): Part of each pixel covered by a stroke
            along the inside of the outline, (h, w) float32 in [0, 1].
    """
    left: int
    top: int
    coverage: np.ndarray
    stroke: Optional[np.ndarray] = None


def rasterize(points: np.ndarray, stroke_width: float = 0.) -> Stamp:
    """Rasterise a closed polygon with anti-aliasing.

    Args:
        points (np.ndarray): Vertices (N, 2) in image pixels, where pixel i
            covers [i, i + 1).
        stroke_width (float): Width of a stroke along the inside of the
            outline, in pixels. Defaults to 0, no stroke.

    Returns:
        Stamp: Coverage of the outline's own rectangle, not clipped to any
        image.
    """
    left, top = np.floor(points.min(axis=0)).astype(int) - 1
    right, bottom = np.ceil(points.max(axis=0)).astype(int) + 1
    width, height = int(right - left), int(bottom - top)
    # OpenCV's coordinates name pixel centres, hence the half.
    fine = (points - (left, top)) * SUPERSAMPLE - 0.5
    fine = np.round(fine * (1 << _FRACTION_BITS)).astype(np.int32)[None]
    filled = np.zeros((height * SUPERSAMPLE, width * SUPERSAMPLE), np.uint8)
    cv2.fillPoly(filled, fine, 255, shift=_FRACTION_BITS)
    stroke = None
    if stroke_width > 0:
        line = np.zeros_like(filled)
        thickness = max(1, round(2 * stroke_width * SUPERSAMPLE))
        cv2.polylines(
            line, fine, True, 255, thickness, shift=_FRACTION_BITS)
        stroke = _downsample(cv2.bitwise_and(line, filled), width, height)
    return Stamp(
        int(left), int(top), _downsample(filled, width, height), stroke)


def _downsample(fine: np.ndarray, width: int, height: int) -> np.ndarray:
    small = cv2.resize(fine, (width, height), interpolation=cv2.INTER_AREA)
    return small.astype(np.float32) / 255


def both_sides(points: np.ndarray, distance: float = 1.5,
               count: int = 48) -> Tuple[np.ndarray, np.ndarray]:
    """Pairs of points just inside and just outside an outline.

    Args:
        points (np.ndarray): Vertices (N, 2) of a closed polygon, in pixels.
        distance (float): Distance from the outline, in pixels.
        count (int): Number of pairs, evenly spaced along the outline.

    Returns:
        Tuple[np.ndarray, np.ndarray]: Inner and outer points, (count, 2) each.
    """
    edges = np.roll(points, -1, axis=0) - points
    lengths = np.hypot(edges[:, 0], edges[:, 1])
    ends = np.cumsum(lengths)
    position = (np.arange(count) + 0.5) * ends[-1] / count
    edge = np.minimum(np.searchsorted(ends, position), len(points) - 1)
    unit = edges[edge] / lengths[edge, None]
    along = points[edge] + unit * (position - ends[edge] +
                                   lengths[edge])[:, None]
    following = np.roll(points, -1, axis=0)
    twice_area = np.sum(points[:, 0] * following[:, 1] -
                        following[:, 0] * points[:, 1])
    normal = np.stack([unit[:, 1], -unit[:, 0]], axis=1)
    normal *= distance * np.sign(twice_area)
    return along - normal, along + normal
