"""FastCocoMetric gives CocoMetric's numbers, and numbers that are what their names say."""
import contextlib
import io
import json
from importlib import metadata

import numpy as np
import pytest

pytest.importorskip('mmdet')

from mmdet.datasets.api_wrappers import COCO  # noqa: E402
from mmdet.evaluation import CocoMetric  # noqa: E402
from mmengine.logging import MMLogger  # noqa: E402
from pycocotools import mask  # noqa: E402
from pycocotools.cocoeval import COCOeval  # noqa: E402

from nasbnn_det.datasets.coco_annotations import read_annotations  # noqa: E402
from nasbnn_det.evaluation.box_eval import evaluate_boxes  # noqa: E402
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


def numbers_of(kind, file, results, classes, **options):
    """A metric's numbers."""
    metric = kind(ann_file=str(file), **options)
    metric.dataset_meta = dict(classes=tuple(classes))
    with contextlib.redirect_stdout(io.StringIO()):
        return dict(metric.compute_metrics(results))


@pytest.mark.parametrize('backend', ['faster', 'pycocotools'])
@pytest.mark.parametrize('seed', range(12))
def test_the_twelve_numbers(seed, backend, written):
    # Ties in every second set; few and many detections; in some the limits of detections an image bind.
    detections, limits = ((30, (100, 300, 1000)), (8, (1, 10, 100)), (150, (20, 100, 120)))[seed % 3]
    file, results, _ = written(12, detections, 1 + seed % 5, seed, ties=seed % 2 == 0, empty=0.2)
    coco = COCO(file)
    use_categories = seed % 4 != 3
    ids = coco.get_cat_ids()
    theirs = pycocotools_stats(COCO(file), results, ids, limits, use_categories)
    scores = evaluate_boxes(coco, [r for _, r in results], coco.get_img_ids(), ids, COCOeval(iouType='bbox').params.iouThrs,
                            limits, use_categories, backend)
    few, middle, most = limits
    ours = [scores.average_precision(100), scores.average_precision(most, 0.5), scores.average_precision(most, 0.75),
            *(scores.average_precision(most, area=area) for area in ('small', 'medium', 'large')),
            *(scores.average_recall(number) for number in limits),
            *(scores.average_recall(most, area) for area in ('small', 'medium', 'large'))]
    assert (theirs > -1).sum() >= 8
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-9)


@pytest.mark.parametrize('options', [
    dict(), dict(metric_items=ALL), dict(classwise=True), dict(metric=['bbox', 'proposal']),
    dict(iou_thrs=np.array([0.5, 0.75]))], ids=str)
def test_drop_in(options, written):
    file, results, classes = written(20, 20, 6)
    theirs = numbers_of(CocoMetric, file, results, classes, **options)
    for backend in ('faster', 'pycocotools'):
        ours = numbers_of(FastCocoMetric, file, results, classes, backend=backend, **options)
        assert theirs and list(ours) == list(theirs)
        assert {k: round(v, 3) for k, v in ours.items()} == {k: round(v, 3) for k, v in theirs.items()}


def test_not_rounded(written):
    file, results, classes = written(20, 20, 6)
    assert round(numbers_of(FastCocoMetric, file, results, classes)['bbox_mAP'], 3) != numbers_of(
        FastCocoMetric, file, results, classes)['bbox_mAP']


def test_some_classes_and_images(written):
    file, results, classes = written(20, 20, 6)
    numbers = []
    for kind in (CocoMetric, FastCocoMetric):
        metric = kind(ann_file=str(file), metric_items=ALL)
        metric.dataset_meta = dict(classes=classes[2:4])
        metric.img_ids = [gt['img_id'] for gt, _ in results[:10]]
        kept = [(gt, {k: (v[r['labels'] < 2] if isinstance(v, np.ndarray) else v) for k, v in r.items()})
                for gt, r in results]
        numbers.append({k: round(v, 3) for k, v in metric.compute_metrics(kept).items()})
    assert numbers[0] == numbers[1]


def test_nothing_is_changed(written):
    file, results, classes = written(5, 10, 3)
    before = [{k: np.copy(v) for k, v in r.items()} for _, r in results]
    for r in (r for _, r in results):
        r['bboxes'] = r['bboxes'].astype(np.float64)
    annotations = read_annotations(str(file))
    for options in (dict(), dict(backend='pycocotools')):
        assert numbers_of(FastCocoMetric, file, results, classes, **options) == numbers_of(
            FastCocoMetric, file, results, classes, **options)
    assert all(np.array_equal(a['bboxes'], b['bboxes']) for a, (_, b) in zip(before, results))
    assert annotations.dataset == json.loads(file.read_text())


def test_nothing_found_and_files(written, tmp_path):
    file, results, classes = written(5, 0, 3)
    for kind in (CocoMetric, FastCocoMetric):
        assert numbers_of(kind, file, results, classes, outfile_prefix=str(tmp_path / kind.__name__)) == {}
        assert (tmp_path / f'{kind.__name__}.bbox.json').is_file()


def test_ground_truth_of_the_samples():
    samples = [dict(bbox=[10, 10, 50, 60], bbox_label=1, ignore_flag=0)]
    results = [(dict(img_id=7, width=100, height=100, anns=samples),
                dict(img_id=7, bboxes=np.array([[10, 10, 50, 60.]]), scores=np.array([0.5]), labels=np.array([1])))]
    metric = FastCocoMetric()
    metric.dataset_meta = dict(classes=('a', 'b'))
    assert metric.compute_metrics(results)['bbox_mAP'] == 1


NAMES = {0: 'cat', 2: 'dog', 7: 'bird'}


def one_dog(tmp_path, order, first=1, **changes):
    """A file whose categories come in the given order of ids, and results that find the dog alone, exactly."""
    truth = dict(
        images=[dict(id=1, file_name='a.jpg', width=100, height=100)],
        categories=[dict(id=i, name=NAMES[i]) for i in order],
        annotations=[dict(id=first + n, image_id=1, category_id=i, bbox=[10 * i, 10, 25, 25], area=625, iscrowd=0)
                     for n, i in enumerate(order)])
    truth.update(changes)
    file = tmp_path / 'dog.json'
    file.write_text(json.dumps({k: v for k, v in truth.items() if v is not None}))
    return file, lambda classes: [(dict(img_id=1, width=100, height=100), dict(
        img_id=1, bboxes=np.array([[20., 10, 45, 35]]), scores=np.array([.9]), labels=np.array([classes.index('dog')])))]


@pytest.mark.parametrize('backend', ['faster', 'pycocotools'])
@pytest.mark.parametrize('order, classes', [
    ((0, 2), ('cat', 'dog')), ((2, 0), ('dog', 'cat')), ((7, 2, 0), ('bird', 'dog', 'cat')), ((7, 2, 0), ('bird', 'dog'))])
def test_categories_in_any_order(order, classes, backend, tmp_path):
    file, found = one_dog(tmp_path, order)
    numbers = numbers_of(FastCocoMetric, file, found(classes), classes, classwise=True, backend=backend)
    assert {name: numbers[f'{name}_precision'] for name in classes} == {name: float(name == 'dog') for name in classes}


@pytest.mark.parametrize('backend', ['faster', 'pycocotools'])
def test_an_annotation_of_id_0_is_an_object(backend, tmp_path):
    file, found = one_dog(tmp_path, (2, ), first=0)
    assert numbers_of(FastCocoMetric, file, found(['dog']), ['dog'], backend=backend)['bbox_mAP'] == 1


@pytest.mark.parametrize('order', [(2, ), (2, 0)])
def test_masks_leave_the_shared_annotations_alone(order, tmp_path):
    outline = [[20, 10, 45, 10, 45, 35, 20, 35]]
    annotation = dict(id=0, image_id=1, category_id=2, bbox=[20, 10, 25, 25], area=625, iscrowd=0, segmentation=outline)
    file, found = one_dog(tmp_path, order, annotations=[annotation])
    classes = [NAMES[i] for i in order]
    results = found(classes)
    results[0][1]['masks'] = mask.frPyObjects(outline, 100, 100)
    annotations = read_annotations(str(file))
    assert numbers_of(FastCocoMetric, file, results, classes, metric=['bbox', 'segm'])['segm_mAP'] == 1
    assert annotations.dataset == json.loads(file.read_text())
    if len(order) > 1:
        with pytest.raises(ValueError, match='categories come in the order of their ids'):
            numbers_of(FastCocoMetric, file, results, classes, metric='segm', classwise=True)


@pytest.mark.parametrize('classes', [('dog', 'cat'), ('cat', 'cow'), ('cow', )])
def test_classes_that_do_not_fit_are_refused_before_the_first_result(classes, tmp_path):
    metric = FastCocoMetric(ann_file=str(one_dog(tmp_path, (0, 2))[0]))
    with pytest.raises(ValueError, match='classes .* and categories'):
        metric.dataset_meta = dict(classes=classes)


@pytest.mark.parametrize('annotations', [None, []])
def test_without_annotations_results_are_written_and_nothing_scored(annotations, tmp_path):
    file, found = one_dog(tmp_path, (0, 2), annotations=annotations)
    prefix = str(tmp_path / 'results')
    assert numbers_of(FastCocoMetric, file, found(['cat', 'dog']), ('cat', 'dog'), format_only=True,
                      outfile_prefix=prefix) == {}
    assert [row['category_id'] for row in json.loads((tmp_path / 'results.bbox.json').read_text())] == [2]
    with pytest.raises(ValueError, match='has no annotations, so nothing can be scored; set format_only'):
        FastCocoMetric(ann_file=str(file))


@pytest.mark.parametrize('crowd, classes', [(0, ('bird', )), (1, ('dog', 'bird'))])
def test_classes_without_an_object_are_not_scored(crowd, classes, tmp_path):
    dog = dict(id=1, image_id=1, category_id=2, bbox=[20, 10, 25, 25], area=625, iscrowd=crowd)
    file, found = one_dog(tmp_path, (2, 7), annotations=[dog])
    metric = FastCocoMetric(ann_file=str(file))
    with pytest.raises(ValueError, match=f"no object of the classes .*{classes[0]}.* so nothing can be scored"):
        metric.dataset_meta = dict(classes=classes)
    if not crowd:
        assert numbers_of(FastCocoMetric, file, found(['dog', 'bird']), ('dog', 'bird'))['bbox_mAP'] == 1


def test_numbers_are_what_their_names_say(written):
    file, results, classes = written(12, 150, 3, 1)
    plain = numbers_of(FastCocoMetric, file, results, classes, metric=['bbox', 'proposal'])
    # A pair of box and object is the same at 0.5, whatever the other overlaps.
    for thresholds in (0.5, [0.3, 0.4, 0.5, 0.6], [0.75, 0.9], 0.6):
        some = numbers_of(FastCocoMetric, file, results, classes, iou_thrs=thresholds)
        assert [some[k] for k in ('bbox_mAP_50', 'bbox_mAP_75')] == [plain[k] for k in ('bbox_mAP_50', 'bbox_mAP_75')]
        assert (some['bbox_mAP'] == some['bbox_mAP_50']) == (thresholds == 0.5)
    # The same number of detections has the same number, whatever its place among them.
    for numbers in ((1, 10, 100), (100, ), (1, 10, 100, 1000), (300, 1000), 1000):
        some = numbers_of(FastCocoMetric, file, results, classes, metric=['bbox', 'proposal'], proposal_nums=numbers)
        assert some['bbox_mAP'] == plain['bbox_mAP'] > 0
        same = set(some) & set(plain) & {'AR@100', 'AR@1000', 'AR_m@1000'}
        assert same and all(some[k] == plain[k] for k in same)
    few = numbers_of(FastCocoMetric, file, results, classes, metric=['bbox', 'proposal'], proposal_nums=(1, 10))
    assert 0 < few['bbox_mAP'] < plain['bbox_mAP'] and [k for k in few if '@' in k] == [
        'AR@1', 'AR@10', 'AR_s@10', 'AR_m@10', 'AR_l@10']


def test_the_table_of_classes_is_of_its_thresholds(written):
    file, results, classes = written(12, 30, 3, 1)
    plain = numbers_of(FastCocoMetric, file, results, classes, classwise=True)
    halves = numbers_of(FastCocoMetric, file, results, classes, classwise=True, iou_thrs=[0.5])
    assert np.mean([halves[f'{name}_precision'] for name in classes]) == pytest.approx(plain['bbox_mAP_50'])


@pytest.mark.parametrize('options, words', [
    (dict(backend='fast'), 'backend has no fast; allowed are faster, pycocotools'),
    (dict(metric='box'), 'metric has no box; allowed are bbox'),
    (dict(metric_items=['mAP', 'ap']), 'metric_items has no ap; allowed are mAP'),
    (dict(metric_items=['AR@300'], proposal_nums=(1, 10)), 'no AR@300; allowed are .* AR@1, AR@10'),
    (dict(proposal_nums=(0, 10)), 'proposal_nums'), (dict(proposal_nums=()), 'proposal_nums'),
    (dict(iou_thrs=[0.5, 1.5]), 'iou_thrs'), (dict(iou_thrs='0.5'), 'iou_thrs'), (dict(iou_thrs=[]), 'iou_thrs'),
    (dict(metric=['bbox', 'segm'], iou_thrs=0.5), 'left to MMDetection'), (dict(sort_categories=True), 'sort_categories'),
    (dict(format_only=True), 'needs outfile_prefix')])
def test_bad_arguments(options, words):
    with pytest.raises(ValueError, match=words):
        METRICS.build(dict(type='nasbnn_det.FastCocoMetric', **options))


def test_another_release_of_the_evaluation_is_refused(monkeypatch):
    monkeypatch.setattr(metadata, 'version', lambda name: '1.9.0')
    with pytest.raises(ValueError, match='needs faster-coco-eval 1.8.0, and 1.9.0 is installed'):
        FastCocoMetric()
    FastCocoMetric(backend='pycocotools')


@pytest.mark.parametrize('change, words', [
    (lambda results: results[1][1].update(img_id=1), 'image 1 has results, but the annotation file does not have it'),
    (lambda results: results.append(results[0]), 'image 2 has two results: .* an evaluator of its own'),
    (lambda results: results.pop(), '1 of the 3 images of the annotation file have no results, such as image 8')])
def test_results_of_other_images_than_the_files(change, words, written):
    file, results, classes = written(3, 5, 2)
    change(results)
    with pytest.raises(ValueError, match=words):
        numbers_of(FastCocoMetric, file, results, classes)


def test_a_data_set_and_its_evaluator_name_the_same_images(written, tmp_path, caplog):
    file, _, _ = written(3, 5, 2)
    ids = list(read_annotations(str(file)).imgs)
    metric = FastCocoMetric(ann_file=str(file))

    def other(change):
        content = json.loads(file.read_text())
        change(content)
        (tmp_path / 'other.json').write_text(json.dumps(content))
        return read_annotations(str(tmp_path / 'other.json'))

    metric.check_data(read_annotations(str(file)), ids)
    with pytest.raises(ValueError, match=f'1 of the 3 images of the annotation file have no results.* image {ids[-1]}'):
        metric.check_data(other(lambda content: content.update(info='a copy')), ids[:-1])
    with pytest.raises(ValueError, match='image 77 has results, but the annotation file does not have it'):
        metric.check_data(other(lambda content: content['images'][0].update(id=77) or content.update(annotations=[])),
                          [77, *ids[1:]])
    with pytest.raises(ValueError, match=f"image {ids[1]} is 'b.jpg' and '.*' in the data set's '.*other.json' and"):
        metric.check_data(other(lambda content: content['images'][1].update(file_name='b.jpg')), ids)
    MMLogger.get_instance('other annotations').addHandler(caplog.handler)
    metric.check_data(other(lambda content: content['annotations'].pop()), ids)
    assert 'the same images and other annotations' in caplog.text


def test_no_ground_truth_is_said_at_the_first_batch():
    with pytest.raises(ValueError, match='no ground truth: give it an ann_file'):
        FastCocoMetric().process({}, [dict(img_id=1)])
