"""Colours and two-colour textures for fills and backgrounds."""
from typing import Tuple

import cv2
import numpy as np

FILLS = ('flat', 'gradient', 'stripes', 'checks', 'noise')
BACKGROUNDS = ('gradient', 'noise', 'stripes')

# Blue, green, red: the eye, and JPEG's chroma subsampling after it, see
# little of a difference in blue alone.
_CHANNEL_WEIGHTS = np.array([.2, .5, .3], np.float32)


def random_color(rng: np.random.Generator) -> np.ndarray:
    """Draw a colour, (3,) float32, BGR in [0, 255], grey to saturated."""
    blue, green, red, vividness = rng.random(4).tolist()
    grey = (blue + green + red) / 3
    vividness = .5 + 1.3 * vividness
    color = [
        255 * min(max(grey + (channel - grey) * vividness, 0.), 1.)
        for channel in (blue, green, red)
    ]
    return np.array(color, np.float32)


def muted_color(rng: np.random.Generator) -> np.ndarray:
    """Draw a colour, (3,) float32, BGR in [0, 255], near grey."""
    color = random_color(rng)
    return color.mean() + (color - color.mean()) * np.float32(.3)


def related_color(color: np.ndarray, low: float, high: float,
                  rng: np.random.Generator) -> np.ndarray:
    """Draw a colour that lies ``low``..``high`` of the way to a random one."""
    step = np.float32(rng.uniform(low, high))
    return color + (random_color(rng) - color) * step


def color_distance(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Weighted Euclidean distance of colours (..., 3), in grey levels."""
    return np.sqrt((first - second)**2 @ _CHANNEL_WEIGHTS)


def paint(kind: str, height: int, width: int, period: Tuple[float, float],
          colors: Tuple[np.ndarray, np.ndarray],
          rng: np.random.Generator) -> np.ndarray:
    """Paint a rectangle with a texture of two colours.

    Args:
        kind (str): One of :data:`FILLS`.
        height (int): Height in pixels.
        width (int): Width in pixels.
        period (Tuple[float, float]): Range of the period of the pattern, in
            pixels.
        colors (Tuple[np.ndarray, np.ndarray]): Two colours (3,), BGR.
        rng (np.random.Generator): Source of randomness.

    Returns:
        np.ndarray: Image (height, width, 3), float32.
    """
    first, second = colors
    if kind == 'flat':
        return np.broadcast_to(first, (height, width, 3))
    step = rng.uniform(*period)
    if kind == 'noise':
        weight = _smooth_noise(height, width, step, rng)
    elif kind == 'gradient':
        weight = _ramp(height, width, rng.uniform(0, 2 * np.pi))
        low, high = weight.min(), weight.max()
        weight = (weight - low) / (high - low)
    else:
        weight = _bars(height, width, step, kind == 'checks', rng)
    return first + weight[..., None] * (second - first)


def _ramp(height: int, width: int, angle: float) -> np.ndarray:
    """Coordinate along a direction, (height, width), in pixels."""
    x = np.arange(width, dtype=np.float32) * np.float32(np.cos(angle))
    y = np.arange(height, dtype=np.float32) * np.float32(np.sin(angle))
    return y[:, None] + x


def _wave(ramp: np.ndarray, period: float, phase: float) -> np.ndarray:
    """Square wave in [-1, 1] whose flanks are about one pixel wide."""
    wave = np.sin(ramp * np.float32(2 * np.pi / period) + np.float32(phase))
    return np.clip(wave * np.float32(period / np.pi), -1, 1)


def _bars(height: int, width: int, period: float, crossed: bool,
          rng: np.random.Generator) -> np.ndarray:
    """Stripes, or checks where two sets of stripes are ``crossed``."""
    angle = rng.uniform(0, np.pi)
    wave = _wave(
        _ramp(height, width, angle), period, rng.uniform(0, 2 * np.pi))
    if crossed:
        wave = wave * _wave(
            _ramp(height, width, angle + np.pi / 2), period,
            rng.uniform(0, 2 * np.pi))
    return (wave + 1) * np.float32(.5)


def _smooth_noise(height: int, width: int, period: float,
                  rng: np.random.Generator) -> np.ndarray:
    """Two octaves of interpolated noise in [0, 1]."""
    noise = np.zeros((height, width), np.float32)
    for octave, gain in ((1, .7), (2, .3)):
        rows = int(np.ceil(octave * height / period)) + 1
        columns = int(np.ceil(octave * width / period)) + 1
        grid = rng.random((rows, columns), dtype=np.float32)
        noise += np.float32(gain) * cv2.resize(
            grid, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(noise * np.float32(1.6) - np.float32(.3), 0, 1)
