"""From which score on a detector is to be believed: the threshold of the best F1."""
from typing import NamedTuple, Sequence

import numpy as np
import torch
from torchvision.ops import box_iou, nms


class Boxes(NamedTuple):
    """Boxes of an image.

    Args:
        boxes (ndarray): Corners x1, y1, x2, y2 in pixels, shape (N, 4).
        labels (ndarray): Class indices, shape (N, ).
        scores (ndarray): Shape (N, ); of any value for ground truth.
    """
    boxes: np.ndarray
    labels: np.ndarray
    scores: np.ndarray


class Threshold(NamedTuple):
    """A score and what the detections from it on are worth.

    Args:
        score (float): The lowest score to believe.
        precision (float): Share of the detections that are right.
        recall (float): Share of the objects that are found.
    """
    score: float
    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return 2 * self.precision * self.recall / max(self.precision + self.recall, 1e-12)


def _overlaps(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union of each pair, shape (len(boxes), len(others)); 0 where both are empty."""
    shared = box_iou(*(torch.as_tensor(part, dtype=torch.float64).reshape(-1, 4) for part in (boxes, others)))
    return shared.nan_to_num().numpy()


def find_threshold(found: Sequence[Boxes], truth: Sequence[Boxes], iou: float = 0.5) -> Threshold:
    """The score from which on detections have the highest F1.

    A detection is right if it overlaps an object of its class by at least ``iou`` that no better detection has taken, as in
    COCO's evaluation at that overlap.

    Args:
        found (Sequence[Boxes]): Detections of each image.
        truth (Sequence[Boxes]): Objects of each image, in the same order.
        iou (float): Lowest overlap. Defaults to 0.5.

    Raises:
        ValueError: If the numbers of images differ, or there is no object.
    """
    if len(found) != len(truth):
        raise ValueError(f'{len(found)} images with detections, but {len(truth)} with objects; each needs both')
    objects = sum(len(image.labels) for image in truth)
    if not objects:
        raise ValueError('no image has an object, so no score can be told to be a good one')
    scores = np.concatenate([image.scores for image in found])
    right = np.concatenate([_right(*pair, iou) for pair in zip(found, truth)])
    if not right.any():
        return Threshold(1.0, 0.0, 0.0)
    order = np.argsort(-scores, kind='stable')
    hits, counts = np.cumsum(right[order]), np.arange(1, len(order) + 1)
    # Equal scores are in or out together.
    last = np.append(np.diff(scores[order]) != 0, True)
    f1 = np.where(last, 2 * hits / (counts + objects), 0.0)
    best = int(f1.argmax())
    return Threshold(float(scores[order][best]), float(hits[best] / counts[best]), float(hits[best] / objects))


def _right(found: Boxes, truth: Boxes, iou: float) -> np.ndarray:
    """Which detections are right, in their own order."""
    result = np.zeros(len(found.scores), bool)
    if not len(truth.labels):
        return result
    shared = np.where(found.labels[:, None] == truth.labels[None], _overlaps(found.boxes, truth.boxes), 0.0)
    for i in np.argsort(-found.scores, kind='stable'):
        best = int(shared[i].argmax())
        if shared[i, best] >= iou:
            result[i] = True
            shared[:, best] = 0.0
    return result


def without_overlaps(found: Boxes, iou: float = 0.5) -> np.ndarray:
    """Indices of detections that no better one overlaps by more than ``iou``, whatever their classes; best first.

    For pictures: of two classes for one object, the better one is drawn.
    """
    boxes, scores = (torch.as_tensor(part, dtype=torch.float64) for part in (found.boxes, found.scores))
    return nms(boxes.reshape(-1, 4), scores, iou).numpy()
