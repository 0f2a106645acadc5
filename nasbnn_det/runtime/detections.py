"""What a detector found."""
from typing import NamedTuple

import numpy as np


class Detections(NamedTuple):
    """What was found in an image, best first.

    Args:
        boxes (np.ndarray): Corners x1, y1, x2, y2 in pixels, float32, shape (N, 4).
        labels (np.ndarray): Class indices, int64, shape (N, ).
        scores (np.ndarray): 0 to 1, float32, shape (N, ).
    """
    boxes: np.ndarray
    labels: np.ndarray
    scores: np.ndarray
