"""The score from which on a detector is believed."""
import numpy as np
import pytest

from nasbnn_det.evaluation.threshold import Boxes, find_threshold, without_overlaps


def image(*rows):
    """Rows of x, y (of boxes of 10 pixels), label, score."""
    rows = np.array(rows, dtype=float).reshape(-1, 4)
    return Boxes(np.concatenate([rows[:, :2], rows[:, :2] + 10], 1), rows[:, 2].astype(int), rows[:, 3])


def test_the_best_f1():
    truth = [image((0, 0, 0, 1), (50, 0, 1, 1)), image((0, 0, 0, 1))]
    found = [
        # Right; right but of the wrong class; right; a second detection of the first object.
        image((1, 0, 0, 0.9), (50, 0, 0, 0.8), (50, 1, 1, 0.6), (0, 1, 0, 0.3)),
        # Nowhere near; right.
        image((70, 70, 0, 0.2), (0, 0, 0, 0.5))]
    best = find_threshold(found, truth)
    # Down to 0.5: 3 of 4 are right and all 3 objects found; F1 6 / 7.
    assert best.score == 0.5 and best.precision == 0.75 and best.recall == 1.0
    assert best.f1 == pytest.approx(6 / 7)


def test_equal_scores_stand_or_fall_together():
    best = find_threshold([image((0, 0, 0, 0.5), (50, 50, 0, 0.5))], [image((0, 0, 0, 1))])
    assert best.precision == 0.5 and best.recall == 1.0


def test_nothing_right_and_nothing_to_find():
    best = find_threshold([image((50, 50, 0, 0.5))], [image((0, 0, 0, 1))])
    assert (best.score, best.precision, best.recall, best.f1) == (1.0, 0.0, 0.0, 0.0)
    with pytest.raises(ValueError, match='no image has an object'):
        find_threshold([image((0, 0, 0, 0.5))], [image()])
    with pytest.raises(ValueError, match='2 images with detections, but 1 with objects'):
        find_threshold([image(), image()], [image()])


def test_one_box_an_object():
    found = image((0, 0, 0, 0.5), (1, 0, 1, 0.9), (5, 0, 0, 0.8), (30, 0, 2, 0.1))
    # The second covers the first by 9 / 11; the third, by 6 / 14 of the second, stays.
    assert without_overlaps(found).tolist() == [1, 2, 3]
    assert without_overlaps(image()).tolist() == []
