"""An image in the making, which knows what is visible of each object."""
from typing import List, Optional, Tuple

import cv2
import numpy as np

from .clutter import draw_clutter
from .outline import Stamp, both_sides, rasterize
from .texture import BACKGROUNDS, FILLS, color_distance, muted_color, paint, random_color, related_color

# An outline counts as seen at a point where the colours on its two sides are
# this far apart, in grey levels, and as visible if most of its points are.
MIN_CONTRAST = 50.
MIN_SEEN = .8
# The shorter side of the visible part's box, in pixels.
MIN_SIDE = 6
_PAINT_TRIES = 6


def extent(mask: np.ndarray) -> Tuple[int, int, int, int]:
    """Box of a mask.

    Args:
        mask (np.ndarray): (H, W) bool.

    Returns:
        Tuple[int, int, int, int]: x, y, width and height in pixels; all zero
        where the mask is empty.
    """
    columns = np.flatnonzero(mask.any(axis=0))
    rows = np.flatnonzero(mask.any(axis=1))
    if not len(columns):
        return 0, 0, 0, 0
    x, y = int(columns[0]), int(rows[0])
    return x, y, int(columns[-1]) + 1 - x, int(rows[-1]) + 1 - y


class Canvas:
    """Background, clutter, and objects of which later ones hide earlier ones.

    Args:
        size (int): Height and width in pixels.
        min_size (float): Size of the smallest object in pixels; clutter is
            much smaller than this.
        rng (np.random.Generator): Source of all randomness.

    Attributes:
        pixels (np.ndarray): (size, size, 3) float32, BGR in [0, 255].
        owner (np.ndarray): (size, size) int16, number of the object that is
            seen in each pixel, -1 for the background.
    """

    def __init__(self, size: int, min_size: float,
                 rng: np.random.Generator) -> None:
        self._rng = rng
        self._areas: List[int] = []
        self.owner = np.full((size, size), -1, np.int16)
        base = muted_color(rng)
        colors = base, related_color(base, .1, .3, rng)
        background = paint(
            rng.choice(BACKGROUNDS), size, size, (.1 * size, .5 * size),
            colors, rng)
        image = np.clip(background, 0, 255).astype(np.uint8)
        draw_clutter(image, base, min_size, rng)
        self.pixels = image.astype(np.float32)

    def visible(self, number: int) -> np.ndarray:
        """Visible part of an object, (H, W) bool."""
        return self.owner == number

    def place(self, points: np.ndarray, min_visible: float,
              min_kept: float) -> bool:
        """Draw an object on top of all others, if that leaves all in sight.

        Args:
            points (np.ndarray): Outline (N, 2) in pixels.
            min_visible (float): Part of the object's area that must lie in
                the image.
            min_kept (float): Part of every earlier object's area that must
                stay visible.

        Returns:
            bool: Whether it was drawn. If not, the canvas is as before.
        """
        stroke = 0.
        if self._rng.random() < .3:
            stroke = self._rng.uniform(1., 2.)
        stamp = rasterize(points, stroke)
        owner, area = self._claim(stamp)
        if not self._in_sight(owner, len(self._areas), area, min_visible):
            return False
        hidden = np.unique(self.owner[owner != self.owner])
        if not all(
                self._in_sight(owner, number, self._areas[number], min_kept)
                for number in hidden if number >= 0):
            return False
        layer = self._paint_visibly(points, stamp)
        if layer is None:
            return False
        self._blend(stamp, layer)
        self.owner = owner
        self._areas.append(area)
        return True

    def finish(self) -> np.ndarray:
        """Add slight blur and sensor noise.

        Returns:
            np.ndarray: Image (H, W, 3), uint8, BGR.
        """
        image = self.pixels
        if self._rng.random() < .3:
            sigma = self._rng.uniform(.3, .7)
            image = cv2.GaussianBlur(image, (0, 0), sigma)
        # Grey noise: JPEG would drop most of its colour.
        shape = image.shape[:2] + (1, )
        noise = self._rng.standard_normal(shape, dtype=np.float32)
        image = image + noise * np.float32(self._rng.uniform(0, 7))
        return np.clip(np.round(image), 0, 255).astype(np.uint8)

    def _window(self, stamp: Stamp) -> Tuple[Tuple[slice, slice], ...]:
        """The common rectangle, as slices of the image and of the stamp."""
        image, inside = [], []
        for start, length, limit in zip((stamp.top, stamp.left),
                                        stamp.coverage.shape,
                                        self.owner.shape):
            low = min(max(start, 0), limit)
            high = max(min(start + length, limit), low)
            image.append(slice(low, high))
            inside.append(slice(low - start, high - start))
        return tuple(image), tuple(inside)

    def _claim(self, stamp: Stamp) -> Tuple[np.ndarray, int]:
        """Owners after the stamp, and its area including what is outside."""
        image, inside = self._window(stamp)
        mask = stamp.coverage >= .5
        owner = self.owner.copy()
        owner[image][mask[inside]] = len(self._areas)
        return owner, int(mask.sum())

    @staticmethod
    def _in_sight(owner: np.ndarray, number: int, area: int,
                  part: float) -> bool:
        mask = owner == number
        return bool(
            mask.sum() >= part * area and min(extent(mask)[2:]) >= MIN_SIDE)

    def _paint_visibly(self, points: np.ndarray,
                       stamp: Stamp) -> Optional[np.ndarray]:
        """Paint until the outline stands out; None if it never does."""
        inner, outer = (
            np.floor(side).astype(int) for side in both_sides(points))
        within = ((outer >= 0) & (outer < len(self.owner))).all(axis=1)
        if not within.any():
            return None
        around = self.pixels[outer[within, 1], outer[within, 0]]
        x, y = (inner[within] - (stamp.left, stamp.top)).T
        height, width = stamp.coverage.shape
        x, y = np.clip(x, 0, width - 1), np.clip(y, 0, height - 1)
        for _ in range(_PAINT_TRIES):
            layer = self._layer(stamp)
            seen = color_distance(layer[y, x], around) >= MIN_CONTRAST
            if seen.mean() >= MIN_SEEN:
                return layer
        return None

    def _layer(self, stamp: Stamp) -> np.ndarray:
        """Fill and stroke of an object, (h, w, 3) float32."""
        color = random_color(self._rng)
        colors = color, related_color(color, .35, .8, self._rng)
        height, width = stamp.coverage.shape
        layer = paint(
            self._rng.choice(FILLS), height, width, (4., 12.), colors,
            self._rng)
        if stamp.stroke is not None:
            part = stamp.stroke / np.maximum(stamp.coverage, 1e-3)
            layer = layer + part[..., None] * (
                random_color(self._rng) - layer)
        return layer

    def _blend(self, stamp: Stamp, layer: np.ndarray) -> None:
        image, inside = self._window(stamp)
        coverage = stamp.coverage[inside][..., None]
        self.pixels[image] += coverage * (layer[inside] - self.pixels[image])
