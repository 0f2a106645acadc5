"""COCO's evaluation of boxes: matching and accumulation by faster-coco-eval, the summary by pycocotools."""
from dataclasses import dataclass
from typing import Any, Dict, Iterator, List, Sequence

import numpy as np
from faster_coco_eval import COCOeval_faster
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval


@dataclass(frozen=True)
class Evaluated:
    """What an evaluation gives.

    Args:
        stats (np.ndarray): The twelve numbers of COCO's summary, unrounded, shape (12, ).
        precision (np.ndarray): Shape (thresholds, 101 recalls, categories, 4 areas, numbers of detections); -1 where
            there is no object.
    """
    stats: np.ndarray
    precision: np.ndarray


class _BoxEval(COCOeval_faster):
    """The C++ evaluation, fed with plain lists: no masks, no indices, no copies by way of a result file."""

    def __init__(self, truth: List[Dict[str, Any]], found: List[Dict[str, Any]]) -> None:
        super().__init__(iouType='bbox', print_function=lambda text: None)
        self._truth, self._found = truth, found

    def _prepare(self) -> None:
        pairs = []
        for dataset, boxes in ((self.gt_dataset, self._truth), (self.dt_dataset, self._found)):
            dataset.clean()
            for box in boxes:
                dataset.append_ref(box['image_id'], box['category_id'], box)
            keys = {(box['image_id'], box['category_id'] if self.params.useCats else -1) for box in boxes}
            pairs.append(keys)
        self._nonempty_iou_pairs = pairs[0] & pairs[1]


def evaluate_boxes(coco: COCO, detections: Sequence[Dict[str, Any]], image_ids: Sequence[int],
                   category_ids: Sequence[int], iou_thresholds: Sequence[float], max_detections: Sequence[int],
                   use_categories: bool = True) -> Evaluated:
    """Evaluates boxes as pycocotools does.

    Args:
        coco (COCO): The ground truth.
        detections (Sequence[dict]): Per image ``img_id``, ``bboxes`` (N, 4) as corners, ``scores`` (N, ) and
            ``labels`` (N, ), indices of ``category_ids``.
        image_ids (Sequence[int]): Images that count.
        category_ids (Sequence[int]): Categories that count.
        iou_thresholds (Sequence[float]): Overlaps that make a match.
        max_detections (Sequence[int]): Three numbers of detections an image, ascending.
        use_categories (bool): False matches boxes of any category, for proposals. Defaults to True.

    Raises:
        ValueError: If a detection belongs to an image that the ground truth does not have.
    """
    images, categories = set(image_ids), set(category_ids)
    unknown = next((d['img_id'] for d in detections if d['img_id'] not in coco.imgs), None)
    if unknown is not None:
        raise ValueError(f'image {unknown} has results, but the annotation file does not have it')
    truth = [_truth(ann) for image in sorted(images) for ann in coco.imgToAnns.get(image, ())
             if ann['category_id'] in categories]
    found = [box for box in _found(detections, category_ids) if box['image_id'] in images]
    evaluation = _BoxEval(truth, found)
    summary = COCOeval(iouType='bbox')
    for params in (evaluation.params, summary.params):
        params.imgIds, params.catIds = list(image_ids), list(category_ids)
        params.maxDets, params.iouThrs = sorted(max_detections), np.asarray(iou_thresholds)
        params.useCats = int(use_categories)
    evaluation.evaluate()
    evaluation.accumulate()
    # The two differ in what the first number means where more than 100 detections an image count; COCO's is wanted.
    summary.eval = evaluation.eval
    summary.summarize()
    return Evaluated(summary.stats, evaluation.eval['precision'])


def _truth(ann: Dict[str, Any]) -> Dict[str, Any]:
    crowd = int(ann.get('iscrowd', 0))
    return dict(id=ann['id'], image_id=ann['image_id'], category_id=ann['category_id'], bbox=ann['bbox'],
                area=ann['area'], iscrowd=crowd, ignore=crowd)


def _found(detections: Sequence[Dict[str, Any]], category_ids: Sequence[int]) -> Iterator[Dict[str, Any]]:
    number = 0
    for found in detections:
        boxes = np.array(found['bboxes'], dtype=np.float64).reshape(-1, 4)
        boxes[:, 2:] -= boxes[:, :2]
        areas = boxes[:, 2] * boxes[:, 3]
        for box, area, score, label in zip(boxes.tolist(), areas.tolist(), np.asarray(found['scores']).tolist(),
                                           np.asarray(found['labels']).tolist()):
            number += 1
            yield dict(id=number, image_id=found['img_id'], category_id=category_ids[label], bbox=box, area=area,
                       score=score, iscrowd=0)
