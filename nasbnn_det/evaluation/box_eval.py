"""COCO's evaluation of boxes: matching and accumulation by faster-coco-eval or by pycocotools, equal in their numbers."""
import contextlib
from dataclasses import dataclass
from importlib import metadata
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

BACKENDS = ('faster', 'pycocotools')
#: The release whose inner parts :func:`_evaluate_faster` feeds.
_FASTER_VERSION = '1.8.0'
_AREAS = ('all', 'small', 'medium', 'large')


@dataclass(frozen=True)
class BoxScores:
    """What an evaluation gives: average precisions and recalls, by what is asked for.

    Args:
        precision (np.ndarray): Shape (thresholds, 101 recalls, categories, 4 areas, numbers of detections); -1 where
            there is no object. One category stands for all where categories do not count.
        recall (np.ndarray): Shape (thresholds, categories, 4 areas, numbers of detections); -1 likewise.
        iou_thresholds (np.ndarray): Overlaps that make a match, ascending.
        averaged (np.ndarray): Which of them a mean is taken over, shape (thresholds, ), bool.
        max_detections (tuple[int]): Numbers of detections an image, ascending.
    """
    precision: np.ndarray
    recall: np.ndarray
    iou_thresholds: np.ndarray
    averaged: np.ndarray
    max_detections: Tuple[int, ...]

    def average_precision(self, detections: int, iou: Optional[float] = None, area: str = 'all',
                          category: Optional[int] = None) -> float:
        """Mean precision over recalls, categories and thresholds that have objects.

        Args:
            detections (int): One of ``max_detections``.
            iou (float, optional): A threshold. Defaults to None, the mean over those that are averaged.
            area (str): 'all', 'small', 'medium' or 'large'. Defaults to 'all'.
            category (int, optional): Index of a category. Defaults to None, all.

        Returns:
            float: -1 where there is no object, as in COCO's summary.
        """
        values = self.precision[self._thresholds(iou), ..., _AREAS.index(area), self.max_detections.index(detections)]
        return _mean(values if category is None else values[..., category])

    def average_recall(self, detections: int, area: str = 'all') -> float:
        """Mean recall over categories and thresholds that have objects; -1 where there is none.

        Args:
            detections (int): One of ``max_detections``.
            area (str): As above.
        """
        return _mean(self.recall[self.averaged, :, _AREAS.index(area), self.max_detections.index(detections)])

    def _thresholds(self, iou: Optional[float]) -> np.ndarray:
        return self.averaged if iou is None else np.isclose(self.iou_thresholds, iou)


def _mean(values: np.ndarray) -> float:
    values = values[values > -1]
    # pycocotools' precisions are up to 2**-52 too small; without these digits both backends give the same.
    return round(float(values.mean()), 12) if values.size else -1.0


def check_faster_version() -> None:
    """Refuses a release of faster-coco-eval whose inner parts may be others.

    Raises:
        ValueError: If another one is installed, or none.
    """
    try:
        found = metadata.version('faster-coco-eval')
    except metadata.PackageNotFoundError:
        found = 'none'
    if found != _FASTER_VERSION:
        raise ValueError(f"backend 'faster' needs faster-coco-eval {_FASTER_VERSION}, and {found} is installed: install "
                         "that one, or choose backend='pycocotools'")


def evaluate_boxes(truth: COCO, detections: Sequence[Dict[str, Any]], image_ids: Sequence[int],
                   category_ids: Sequence[int], iou_thresholds: Sequence[float], max_detections: Sequence[int],
                   use_categories: bool = True, backend: str = 'faster') -> BoxScores:
    """Evaluates boxes as COCO does.

    Neither the order of the ids matters nor the ids of annotations, which COCO's code takes for "no match" where they
    are 0. Nothing that is given is changed.

    Args:
        truth (COCO): The ground truth.
        detections (Sequence[dict]): Per image ``img_id``, ``bboxes`` (N, 4) as corners, ``scores`` (N, ) and
            ``labels`` (N, ), indices of ``category_ids``.
        image_ids (Sequence[int]): Images that count.
        category_ids (Sequence[int]): Categories that count, which is the order of the scores too.
        iou_thresholds (Sequence[float]): Overlaps to take means over. 0.5 and 0.75 are evaluated too.
        max_detections (Sequence[int]): Numbers of detections an image.
        use_categories (bool): False matches boxes of any category, for proposals. Defaults to True.
        backend (str): One of :data:`BACKENDS`. Defaults to 'faster'.

    Raises:
        ValueError: If an image has two results, or no result, or the ground truth does not have it.
    """
    check_images([found['img_id'] for found in detections], image_ids, truth)
    images, categories = set(image_ids), set(category_ids)
    objects = [ann for image in sorted(images) for ann in truth.imgToAnns.get(image, ())
               if ann['category_id'] in categories]
    params = COCOeval(iouType='bbox').params
    params.imgIds, params.catIds = sorted(images), sorted(categories)
    params.iouThrs, averaged = _with_thresholds(iou_thresholds, (0.5, 0.75))
    params.maxDets = sorted(set(max_detections))
    params.useCats = int(use_categories)
    evaluate = dict(faster=_evaluate_faster, pycocotools=_evaluate_pycocotools)[backend]
    with contextlib.redirect_stdout(None):
        found = evaluate([_object(i, ann) for i, ann in enumerate(objects, 1)],
                         [box for box in _boxes(detections, category_ids) if box['image_id'] in images], params)
    order = np.searchsorted(params.catIds, category_ids) if use_categories else [0]
    return BoxScores(found['precision'][:, :, order], found['recall'][:, order], params.iouThrs, averaged,
                     tuple(params.maxDets))


def check_images(evaluated: Sequence[int], image_ids: Sequence[int], truth: COCO) -> None:
    """Checks that each image has one result.

    Args:
        evaluated (Sequence[int]): Images that have, or will have, results.
        image_ids (Sequence[int]): Images that count.
        truth (COCO): The ground truth.

    Raises:
        ValueError: If an image has two results, or none, or the ground truth does not have it.
    """
    seen: set = set()
    for image in evaluated:
        if image not in truth.imgs:
            raise ValueError(f'image {image} has results, but the annotation file does not have it')
        if image in seen:
            raise ValueError(f'image {image} has two results: where data sets that number their images alike are '
                             'evaluated, each needs a data loader and an evaluator of its own')
        seen.add(image)
    missing = [image for image in image_ids if image not in seen]
    if missing:
        raise ValueError(f'{len(missing)} of the {len(image_ids)} images of the annotation file have no results, such as '
                         f'image {missing[0]}: data set and evaluator must name the same annotation file')


def _with_thresholds(wanted: Sequence[float], more: Sequence[float]) -> Tuple[np.ndarray, np.ndarray]:
    """All thresholds, ascending, and which of them are wanted."""
    values = [*wanted, *(value for value in more if not np.isclose(wanted, value).any())]
    order = np.argsort(values, kind='stable')
    return np.array(values, dtype=np.float64)[order], (np.arange(len(values)) < len(wanted))[order]


def _object(number: int, ann: Dict[str, Any]) -> Dict[str, Any]:
    crowd = int(ann.get('iscrowd', 0))
    return dict(id=number, image_id=ann['image_id'], category_id=ann['category_id'], bbox=ann['bbox'], area=ann['area'],
                iscrowd=crowd, ignore=crowd)


def _boxes(detections: Sequence[Dict[str, Any]], category_ids: Sequence[int]) -> Iterator[Dict[str, Any]]:
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


def _evaluate_pycocotools(objects: List[Dict[str, Any]], found: List[Dict[str, Any]], params: Any) -> Dict[str, np.ndarray]:
    files = []
    for annotations in (objects, found):
        coco = COCO()
        coco.dataset = dict(images=[dict(id=i) for i in params.imgIds], categories=[dict(id=i) for i in params.catIds],
                            annotations=annotations)
        coco.createIndex()
        files.append(coco)
    evaluation = COCOeval(*files, iouType='bbox')
    evaluation.params = params
    evaluation.evaluate()
    evaluation.accumulate()
    return evaluation.eval


def _evaluate_faster(objects: List[Dict[str, Any]], found: List[Dict[str, Any]], params: Any) -> Dict[str, np.ndarray]:
    """The C++ evaluation, fed with plain lists: no masks, no indices, no copies by way of a result file."""
    from faster_coco_eval import COCOeval_faster

    class BoxEval(COCOeval_faster):

        def _prepare(self) -> None:
            pairs = []
            for dataset, boxes in ((self.gt_dataset, objects), (self.dt_dataset, found)):
                dataset.clean()
                for box in boxes:
                    dataset.append_ref(box['image_id'], box['category_id'], box)
                pairs.append({(box['image_id'], box['category_id'] if params.useCats else -1) for box in boxes})
            self._nonempty_iou_pairs = pairs[0] & pairs[1]

    evaluation = BoxEval(iouType='bbox', print_function=lambda text: None)
    for name in ('imgIds', 'catIds', 'iouThrs', 'maxDets', 'useCats'):
        setattr(evaluation.params, name, getattr(params, name))
    evaluation.evaluate()
    evaluation.accumulate()
    return evaluation.eval
