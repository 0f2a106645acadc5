"""CocoMetric on the C++ evaluation of faster-coco-eval."""
import logging
from collections import OrderedDict
from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

import numpy as np
from mmdet.evaluation.metrics import CocoMetric
from mmengine.logging import MMLogger, print_log
from terminaltables import AsciiTable

from ..datasets.coco_annotations import CocoAnnotations, read_annotations
from ..registry import METRICS
from .box_eval import BACKENDS, BoxScores, check_faster_version, check_images, evaluate_boxes

_METRICS = ('bbox', 'segm', 'proposal')
_PRECISIONS = dict(mAP={}, mAP_50=dict(iou=0.5), mAP_75=dict(iou=0.75), mAP_s=dict(area='small'),
                   mAP_m=dict(area='medium'), mAP_l=dict(area='large'))


@METRICS.register_module()
class FastCocoMetric(CocoMetric):
    """Drop-in for :class:`mmdet.evaluation.CocoMetric`: the same arguments and numbers, several times faster, not rounded.

    Boxes (``metric='bbox'`` and ``'proposal'``) are evaluated in C++ by faster-coco-eval, and results do not pass
    through a JSON file; where masks are asked for too, MMDetection does all of it. ``proposal_fast`` is not offered:
    ``proposal`` gives the same by exact matching.

    Numbers are what their names say, whatever the settings: ``mAP`` counts up to 100 detections an image, as COCO does, or
    fewer if ``proposal_nums`` has no more; ``mAP_50`` belongs to an overlap of 0.5 and the largest of
    ``proposal_nums``; ``AR@n`` has one key for each of ``proposal_nums``.

    Args:
        ann_file (str, optional): The ground truth. Read once if the data set names the same file. Defaults to None: the
            data set's own, which :class:`nasbnn_det.engine.hooks.CheckDetectorHook` hands over, or else the
            ``instances`` of the samples.
        metric (str | list[str]): 'bbox', 'segm', 'proposal'. Defaults to 'bbox'.
        classwise (bool): Also gives ``NAME_precision`` of each class and logs a table. Defaults to False.
        proposal_nums (Sequence[int]): Numbers of detections an image. Defaults to (100, 300, 1000).
        iou_thrs (float | Sequence[float], optional): Overlaps that mAP and AR are means over. Defaults to None, COCO's.
        metric_items (Sequence[str], optional): The numbers to give. Defaults to None, mAP and its parts or AR.
        format_only (bool): Writes the results and scores nothing. Defaults to False.
        outfile_prefix (str, optional): Results are written to ``PREFIX.bbox.json``. Defaults to None, not at all.
        backend (str): 'faster', or 'pycocotools' for the original. Defaults to 'faster'.
        backend_args (dict, optional): File backend of ``ann_file``. Defaults to None.
        **kwargs: As for :class:`mmdet.evaluation.CocoMetric`.

    Raises:
        FileNotFoundError: If ``ann_file`` does not exist.
        ValueError: If an argument is none that is allowed, or the file has nothing to score against.
    """

    def __init__(self,
                 ann_file: Optional[str] = None,
                 metric: Union[str, List[str]] = 'bbox',
                 classwise: bool = False,
                 proposal_nums: Sequence[int] = (100, 300, 1000),
                 iou_thrs: Optional[Union[float, Sequence[float]]] = None,
                 metric_items: Optional[Sequence[str]] = None,
                 format_only: bool = False,
                 outfile_prefix: Optional[str] = None,
                 backend: str = 'faster',
                 backend_args: Optional[dict] = None,
                 **kwargs: Any) -> None:
        metric = list(metric) if isinstance(metric, (list, tuple)) else [metric]
        _check_choices('metric', metric, _METRICS)
        _check_choices('backend', [backend], BACKENDS)
        if format_only and outfile_prefix is None:
            raise ValueError('format_only=True writes results only, so it needs outfile_prefix, the beginning of their path')
        if kwargs.pop('sort_categories', False):
            raise ValueError('sort_categories=True is not supported: labels follow the order of the annotation file')
        self.backend = backend
        super().__init__(
            metric=metric, classwise=classwise, proposal_nums=_checked_numbers(proposal_nums),
            iou_thrs=None if iou_thrs is None else _checked_thresholds(iou_thrs), metric_items=metric_items,
            format_only=format_only, outfile_prefix=outfile_prefix, backend_args=backend_args, **kwargs)
        _check_choices('metric_items', metric_items or (), (*_PRECISIONS, *self._recalls()))
        if not self._boxes_only() and (iou_thrs is not None or self.proposal_nums != [100, 300, 1000]):
            raise ValueError(f'metric={self.metrics} is left to MMDetection, whose numbers are right for the default '
                             'proposal_nums and iou_thrs only: leave them out')
        if backend == 'faster' and self._boxes_only():
            check_faster_version()
        if ann_file is not None:
            self.use_annotations(read_annotations(ann_file, backend_args))

    def use_annotations(self, annotations: CocoAnnotations, image_ids: Optional[Sequence[int]] = None) -> None:
        """Takes the ground truth.

        Args:
            annotations (CocoAnnotations): What :func:`nasbnn_det.datasets.coco_annotations.read_annotations` read.
            image_ids (Sequence[int], optional): The images that count. Defaults to None, all.

        Raises:
            ValueError: If there is nothing to score against, or the data set's classes do not fit.
        """
        if not self.format_only and not annotations.dataset['annotations']:
            raise ValueError(f"annotation file '{annotations.name}' has no annotations, so nothing can be scored; set "
                             'format_only=True and outfile_prefix on the evaluator to write results only')
        self._coco_api = annotations
        self.img_ids = annotations.get_img_ids() if image_ids is None else list(image_ids)
        self._match_classes()

    def check_data(self, annotations: CocoAnnotations, image_ids: Sequence[int]) -> None:
        """Compares the images that a data set reads with the ground truth, before the first one is evaluated.

        Args:
            annotations (CocoAnnotations): The data set's.
            image_ids (Sequence[int]): Its images.

        Raises:
            ValueError: If the ground truth is of other images.
        """
        if self.format_only or annotations is self._coco_api:
            return
        check_images(image_ids, self.img_ids, self._coco_api)
        both = f"the data set's '{annotations.name}' and the evaluator's '{self._coco_api.name}'"
        for image in image_ids:
            names = [file.imgs[image]['file_name'] for file in (annotations, self._coco_api)]
            if names[0] != names[1]:
                raise ValueError(f"image {image} is '{names[0]}' and '{names[1]}' in {both}: both must name the same "
                                 'annotation file')
        if annotations.dataset['annotations'] != self._coco_api.dataset['annotations']:
            print_log(f'{both} have the same images and other annotations; scored are the second', logger='current',
                      level=logging.WARNING)

    @property
    def has_annotations(self) -> bool:
        """Whether the ground truth is known."""
        return self._coco_api is not None

    @property
    def dataset_meta(self) -> Optional[dict]:
        """What the data set says of itself."""
        return self._dataset_meta

    @dataset_meta.setter
    def dataset_meta(self, meta: dict) -> None:
        self._dataset_meta = meta
        self._match_classes()

    def _match_classes(self) -> None:
        if self._coco_api is None or self.dataset_meta is None:
            return
        self.cat_ids = list(self._coco_api.match_classes(self.dataset_meta['classes']))
        wanted, annotations = set(self.cat_ids), self._coco_api.dataset['annotations']
        if not self.format_only and not any(a['category_id'] in wanted and not a.get('iscrowd') for a in annotations):
            raise ValueError(f"annotation file '{self._coco_api.name}' has no object of the classes "
                             f"{tuple(self.dataset_meta['classes'])}, so nothing can be scored")

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keeps what :meth:`compute_metrics` needs of a batch.

        Raises:
            ValueError: If the ground truth is not known.
        """
        if self._coco_api is None and any('instances' not in sample for sample in data_samples):
            raise ValueError(f'{type(self).__name__} has no ground truth: give it an ann_file, or take the one of the data '
                             "set by custom_hooks=[dict(type='nasbnn_det.CheckDetectorHook')]")
        super().process(data_batch, data_samples)

    def compute_metrics(self, results: List[Tuple[dict, dict]]) -> Dict[str, float]:
        """Computes the metrics of all images.

        Args:
            results (list[tuple[dict, dict]]): Per image what is known of it, and its detections: ``img_id``, ``bboxes``
                (N, 4) as corners, ``scores`` (N, ) and ``labels`` (N, ).

        Returns:
            dict[str, float]: The keys of :class:`mmdet.evaluation.CocoMetric`, in full precision; -1 where there is no
            object.
        """
        images, detections = zip(*results)
        if self._coco_api is None:
            self.use_annotations(self._annotations_of(images))
        if self.format_only or not self._boxes_only():
            return self._compute_by_mmdet(results)
        if self.outfile_prefix is not None:
            self.results2json(detections, self.outfile_prefix)
        logger: MMLogger = MMLogger.get_current_instance()
        if not any(len(found['labels']) for found in detections):
            logger.error('The testing results of the whole dataset is empty.')
            return OrderedDict()
        metrics: Dict[str, float] = OrderedDict()
        for metric in self.metrics:
            logger.info(f'Evaluating {metric}...')
            scores = evaluate_boxes(
                self._coco_api, detections, self.img_ids, self.cat_ids, self.iou_thrs,
                [*self.proposal_nums, self._few_detections()], metric == 'bbox', self.backend)
            values = self._named(scores)
            if metric == 'proposal':
                metrics.update({item: values[item] for item in self.metric_items or self._recalls()})
                continue
            if self.classwise:
                metrics.update(self._classwise(scores, logger))
            metrics.update({f'bbox_{item}': values[item] for item in self.metric_items or _PRECISIONS})
            logger.info('bbox_mAP_copypaste: ' + ' '.join(f'{values[item]:.3f}' for item in _PRECISIONS))
        return metrics

    def _boxes_only(self) -> bool:
        return set(self.metrics) <= {'bbox', 'proposal'}

    def _few_detections(self) -> int:
        """How many detections an image COCO's mAP counts."""
        return min(100, max(self.proposal_nums))

    def _recalls(self) -> Dict[str, dict]:
        """Names of average recalls and what they stand for."""
        numbers = sorted(self.proposal_nums)
        return {**{f'AR@{number}': dict(detections=number) for number in numbers},
                **{f'AR_{area[0]}@{numbers[-1]}': dict(detections=numbers[-1], area=area)
                   for area in ('small', 'medium', 'large')}}

    def _named(self, scores: BoxScores) -> Dict[str, float]:
        most, few = max(self.proposal_nums), self._few_detections()
        return {**{name: scores.average_precision(few if name == 'mAP' else most, **part)
                   for name, part in _PRECISIONS.items()},
                **{name: scores.average_recall(**part) for name, part in self._recalls().items()}}

    def _classwise(self, scores: BoxScores, logger: MMLogger) -> Dict[str, float]:
        """Logs a table of average precisions per class and returns the first column."""
        rows = [['category', *_PRECISIONS]]
        metrics = {}
        for k, category in enumerate(self._coco_api.load_cats(self.cat_ids)):
            values = [scores.average_precision(max(self.proposal_nums), category=k, **part) for part in _PRECISIONS.values()]
            # As in CocoMetric: a class without objects has no number here.
            values = [float('nan') if value == -1 else value for value in values]
            rows.append([category['name'], *(f'{value:.3f}' for value in values)])
            metrics[f"{category['name']}_precision"] = values[0]
        logger.info('\n' + AsciiTable(rows).table)
        return metrics

    def _annotations_of(self, images: Sequence[dict]) -> CocoAnnotations:
        """The ground truth that came with the samples, without a file."""
        categories = [dict(id=i, name=name) for i, name in enumerate(self.dataset_meta['classes'])]
        truth = [dict(image_id=image['img_id'], category_id=int(ann['bbox_label']), iscrowd=ann.get('ignore_flag', 0),
                      bbox=[*ann['bbox'][:2], ann['bbox'][2] - ann['bbox'][0], ann['bbox'][3] - ann['bbox'][1]])
                 for image in images for ann in image['anns']]
        annotations = [dict(ann, id=i, area=ann['bbox'][2] * ann['bbox'][3]) for i, ann in enumerate(truth, 1)]
        return CocoAnnotations(dict(images=[dict(id=image['img_id']) for image in images], categories=categories,
                                    annotations=annotations), 'of the samples')

    def _compute_by_mmdet(self, results: List[Tuple[dict, dict]]) -> Dict[str, float]:
        """Masks, on a copy of the annotations: pycocotools changes them, and takes an id 0 for no match."""
        shared = self._coco_api
        if self.classwise and not self.format_only and list(self.cat_ids) != sorted(self.cat_ids):
            raise ValueError(f"classwise=True of {self.metrics} needs an annotation file whose categories come in the order "
                             f"of their ids, and '{shared.name}' has {self.cat_ids}")
        annotations = [dict(ann, id=i) for i, ann in enumerate(shared.dataset['annotations'], 1)]
        self._coco_api = CocoAnnotations({**shared.dataset, 'annotations': annotations}, shared.name)
        try:
            return super().compute_metrics(results)
        finally:
            self._coco_api = shared


def _check_choices(name: str, chosen: Sequence[str], allowed: Sequence[str]) -> None:
    unknown = [str(choice) for choice in chosen if choice not in allowed]
    if unknown:
        raise ValueError(f"{name} has no {', '.join(unknown)}; allowed are {', '.join(allowed)}")


def _checked_numbers(numbers: Sequence[int]) -> List[int]:
    numbers = [numbers] if isinstance(numbers, int) else list(numbers)
    if not numbers or not all(type(number) is int and number > 0 for number in numbers):
        raise ValueError(f'proposal_nums is {numbers}; allowed are numbers of detections an image, integers above 0')
    return sorted(set(numbers))


def _checked_thresholds(thresholds: Union[float, Sequence[float]]) -> np.ndarray:
    values = np.atleast_1d(np.array(thresholds, dtype=object))
    if not all(isinstance(value, (int, float)) and 0 < value <= 1 for value in values) or not len(values):
        raise ValueError(f'iou_thrs is {thresholds}; allowed are overlaps above 0 and up to 1')
    return np.unique(values.astype(np.float64))
