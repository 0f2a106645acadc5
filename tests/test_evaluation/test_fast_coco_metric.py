"""FastCocoMetric gives CocoMetric's numbers."""
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('mmdet')

from mmdet.datasets.api_wrappers import COCO  # noqa: E402
from mmdet.evaluation import CocoMetric  # noqa: E402
from pycocotools.cocoeval import COCOeval  # noqa: E402

from nasbnn_det.evaluation.fast_coco_eval import evaluate_boxes  # noqa: E402
from nasbnn_det.evaluation.fast_coco_metric import FastCocoMetric  # noqa: E402
from nasbnn_det.evaluation.synthetic import random_coco  # noqa: E402
from nasbnn_det.registry import METRICS  # noqa: E402

ALL = ('mAP', 'mAP_50', 'mAP_75', 'mAP_s', 'mAP_m', 'mAP_l', 'AR@100', 'AR@300', 'AR@1000', 'AR_s@1000', 'AR_m@1000',
       'AR_l@1000')


@pytest.fixture
def written(tmp_path):
    """Gives ``written(...)``: a random set's file, its results and its classes."""

    def write(*args, **kwargs):
        truth, results = random_coco(*args, **kwargs)
        file = tmp_path / 'truth.json'
        file.write_text(json.dumps(truth))
        return file, results, [c['name'] for c in truth['categories']]

    return write


def pycocotools_stats(coco, results, category_ids, max_detections, use_categories):
    """The twelve numbers, unrounded, by pycocotools alone."""
    found = [
        dict(image_id=r['img_id'], category_id=category_ids[label], score=float(score),
             bbox=[b[0], b[1], b[2] - b[0], b[3] - b[1]])
        for _, r in results for b, score, label in zip(r['bboxes'].tolist(), r['scores'], r['labels'])]
    evaluation = COCOeval(coco, coco.loadRes(found), 'bbox')
    evaluation.params.maxDets = list(max_detections)
    evaluation.params.useCats = int(use_categories)
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return evaluation.stats


@pytest.mark.parametrize('seed', range(24))
def test_the_twelve_numbers(seed, written):
    # Ties in every second set; few and many detections; in some the limits of detections an image bind.
    detections, limits = ((30, (100, 300, 1000)), (8, (1, 10, 100)), (150, (20, 100, 120)))[seed % 3]
    file, results, _ = written(12, detections, 1 + seed % 5, seed, ties=seed % 2 == 0, empty=0.2)
    coco = COCO(file)
    use_categories = seed % 4 != 3
    ids = coco.get_cat_ids()
    thresholds = COCOeval(iouType='bbox').params.iouThrs
    found = [r for _, r in results]
    ours = evaluate_boxes(coco, found, coco.get_img_ids(), ids, thresholds, limits, use_categories).stats
    theirs = pycocotools_stats(coco, results, ids, limits, use_categories)
    assert (theirs > -1).sum() >= 8
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-9)


@pytest.mark.parametrize('options', [
    dict(), dict(metric_items=ALL), dict(classwise=True), dict(metric=['bbox', 'proposal']),
    dict(metric='proposal', proposal_nums=(1, 10, 100)),
    dict(iou_thrs=np.array([0.5, 0.75]))])
def test_drop_in(options, written):
    file, results, classes = written(20, 20, 6)
    numbers = []
    for kind, extra in ((CocoMetric, {}), (FastCocoMetric, {}), (FastCocoMetric, dict(backend='pycocotools'))):
        metric = kind(ann_file=str(file), **options, **extra)
        metric.dataset_meta = dict(classes=classes)
        numbers.append(dict(metric.compute_metrics(results)))
    assert numbers[0] and json.dumps(numbers[0]) == json.dumps(numbers[1]) == json.dumps(numbers[2])


def test_some_classes_and_images(written):
    file, results, classes = written(20, 20, 6)
    numbers = []
    for kind in (CocoMetric, FastCocoMetric):
        metric = kind(ann_file=str(file), metric_items=ALL)
        metric.dataset_meta = dict(classes=classes[2:4])
        metric.img_ids = [gt['img_id'] for gt, _ in results[:10]]
        kept = [(gt, {k: (v[r['labels'] < 2] if isinstance(v, np.ndarray) else v) for k, v in r.items()})
                for gt, r in results]
        numbers.append(dict(metric.compute_metrics(kept)))
    assert numbers[0] == numbers[1]


def test_results_are_not_changed(written):
    file, results, classes = written(5, 10, 3)
    before = [{k: np.copy(v) for k, v in r.items()} for _, r in results]
    for r in (r for _, r in results):
        r['bboxes'] = r['bboxes'].astype(np.float64)
    metric = FastCocoMetric(ann_file=str(file))
    metric.dataset_meta = dict(classes=classes)
    assert metric.compute_metrics(results) == metric.compute_metrics(results)
    assert all(np.array_equal(a['bboxes'], b['bboxes']) for a, (_, b) in zip(before, results))


def test_nothing_found_and_files(written, tmp_path):
    file, results, classes = written(5, 0, 3)
    for kind in (CocoMetric, FastCocoMetric):
        metric = kind(ann_file=str(file), outfile_prefix=str(tmp_path / kind.__name__))
        metric.dataset_meta = dict(classes=classes)
        assert metric.compute_metrics(results) == {}
        assert (tmp_path / f'{kind.__name__}.bbox.json').is_file()


def test_ground_truth_of_the_samples():
    samples = [dict(bbox=[10, 10, 50, 60], bbox_label=1, ignore_flag=0)]
    results = [(dict(img_id=7, width=100, height=100, anns=samples),
                dict(img_id=7, bboxes=np.array([[10, 10, 50, 60.]]), scores=np.array([0.5]), labels=np.array([1])))]
    metric = FastCocoMetric()
    metric.dataset_meta = dict(classes=('a', 'b'))
    assert metric.compute_metrics(results)['bbox_mAP'] == 1


@pytest.mark.parametrize('options, words', [
    (dict(backend='fast'), "backend 'fast' is unknown; allowed are faster, pycocotools"),
    (dict(metric_items=['mAP', 'ap']), 'metric_items has no ap; allowed are mAP')])
def test_bad_arguments(options, words):
    with pytest.raises(ValueError, match=words):
        METRICS.build(dict(type='nasbnn_det.FastCocoMetric', **options))


def test_results_of_an_unknown_image(written):
    file, results, classes = written(3, 5, 2)
    results[1][1]['img_id'] = 1
    metric = FastCocoMetric(ann_file=str(file))
    metric.dataset_meta = dict(classes=classes)
    with pytest.raises(ValueError, match='image 1 has results, but the annotation file does not have it'):
        metric.compute_metrics(results)


@pytest.mark.slow
def test_five_times_faster_on_a_large_set():
    tool = Path(__file__).resolve().parents[2] / 'tools' / 'analysis_tools' / 'benchmark_eval.py'
    done = subprocess.run([sys.executable, str(tool)], capture_output=True, text=True, check=True)
    result = json.loads(done.stdout.strip().splitlines()[-1])
    assert result['detections'] == 500_000 and result['equal'] and result['speedup'] >= 5
