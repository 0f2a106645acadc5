"""Random ground truth and detections, for the benchmark and for tests of the evaluation."""
from typing import Any, Dict, List, Tuple

import numpy as np


def random_coco(num_images: int, num_detections: int, num_classes: int = 80, seed: int = 0, ties: bool = False,
                empty: float = 0.1) -> Tuple[Dict[str, Any], List[Tuple[dict, dict]]]:
    """Draws a COCO detection set with crowds, and detections that partly fit it.

    Args:
        num_images (int): Images.
        num_detections (int): Detections of each image.
        num_classes (int): Classes. Defaults to 80.
        seed (int): Defaults to 0.
        ties (bool): Scores have one decimal and boxes lie on a grid, so that many are equal. Defaults to False.
        empty (float): Share of images without objects, and of images without detections. Defaults to 0.1.

    Returns:
        tuple[dict, list]: The set in COCO's format, and per image what ``CocoMetric.compute_metrics`` takes.
    """
    rng = np.random.default_rng(seed)
    # Ids with gaps, as COCO has them.
    images = [dict(id=3 * i + 2, width=640, height=480, file_name=f'{i}.jpg') for i in range(num_images)]
    categories = [dict(id=2 * k + 1, name=f'class {k}') for k in range(num_classes)]
    annotations: List[dict] = []
    results = []
    for image in images:
        boxes = np.concatenate([rng.uniform(0, 400, (rng.integers(1, 15), 2))] * 2, 1)
        boxes[:, 2:] += rng.lognormal(4, 0.9, (len(boxes), 2))
        labels = rng.integers(0, num_classes, len(boxes))
        if ties:
            boxes = np.round(boxes / 16) * 16 + [0, 0, 16, 16]
        count = 0 if rng.random() < empty else num_detections
        source = rng.integers(0, len(boxes), count)
        found = boxes[source] + rng.normal(0, 5, (count, 4)).round(0 if ties else 6)
        found[:, 2:] = np.maximum(found[:, 2:], found[:, :2] + 1)
        guessed = np.where(rng.random(count) < 0.7, labels[source], rng.integers(0, num_classes, count))
        results.append((
            dict(img_id=image['id'], width=640, height=480),
            dict(img_id=image['id'], bboxes=found.astype(np.float32), labels=guessed,
                 scores=rng.random(count).round(1 if ties else 6).astype(np.float32))))
        if rng.random() >= empty:
            annotations += [
                dict(id=len(annotations) + i + 1, image_id=image['id'], category_id=categories[label]['id'],
                     bbox=[x1, y1, x2 - x1, y2 - y1], area=(x2 - x1) * (y2 - y1) * rng.uniform(0.4, 1), iscrowd=crowd)
                for i, ((x1, y1, x2, y2), label, crowd) in enumerate(
                    zip(boxes.tolist(), labels.tolist(), (rng.random(len(boxes)) < 0.05).astype(int).tolist()))]
    return dict(images=images, categories=categories, annotations=annotations), results
