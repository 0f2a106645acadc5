"""ONNX files that end in boxes: what MMDetection finds, by the example as a program and by the file itself."""
import copy
import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

onnx = pytest.importorskip('onnx')
onnxruntime = pytest.importorskip('onnxruntime')
pytest.importorskip('mmdet')

from mmengine.config import Config, ConfigDict  # noqa: E402
from small_detectors import CLASSES, KINDS, SIZE, clearest, make, mmdetection  # noqa: E402

from nasbnn_det.deploy.onnx_decoding import Decoding  # noqa: E402
from nasbnn_det.deploy.onnx_detector import export_detector  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / 'examples' / 'detect_onnx.py'


@pytest.fixture(scope='module', params=list(KINDS))
def exported(request, tmp_path_factory, run_tool):
    """A detector, its config, and its file by the tool."""
    folder = tmp_path_factory.mktemp(request.param)
    config, checkpoint, model = make(request.param, folder, ROOT)
    result = run_tool('tools/deploy/export_onnx.py', config, checkpoint, folder / 'd.onnx', '--detections', '--shape', SIZE)
    assert result.returncode == 0, result.stderr
    assert result.stdout.count('decoding: 30 of 30 boxes') == result.stdout.count('decoding: 60 of 60 boxes') == 1
    return model, Config.fromfile(config), folder / 'd.onnx'


def example(*args):
    return subprocess.run([sys.executable, EXAMPLE, *map(str, args)], capture_output=True, text=True)


@pytest.mark.parametrize('shape', [(60, 150), (96, 96), (200, 120)])
def test_the_example_finds_what_pytorch_finds(exported, tmp_path, shape):
    model, cfg, file = exported
    picture, gap = clearest(model, cfg, tmp_path, shape)
    assert gap > 5e-6  # floats of about 1 are rounded by a tenth of that
    boxes, labels, scores = mmdetection(model, cfg, picture)
    done = example(file, picture, '--score-thr', 0, '--out', tmp_path / 'found.png')
    assert done.returncode == 0, done.stderr
    rows = [line.rsplit(' ', 5) for line in done.stdout.splitlines()]
    assert len(rows) == len(scores) == 30
    assert [row[0] for row in rows] == [CLASSES[label] for label in labels]
    numbers = np.array([row[1:] for row in rows], float)
    np.testing.assert_allclose(numbers[:, 0], scores, atol=1e-4)
    np.testing.assert_allclose(numbers[:, 1:], boxes, atol=0.01)
    assert boxes.min() >= 0 and (boxes.max(0) <= np.array(shape[::-1] * 2) + 1e-3).all()
    drawn, plain = cv2.imread(str(tmp_path / 'found.png')), cv2.imread(str(picture))
    assert drawn.shape == plain.shape and (drawn != plain).any()


def test_each_image_of_a_batch_ends_where_its_size_says(exported, tmp_path):
    model, cfg, file = exported
    picture, _ = clearest(model, cfg, tmp_path, (SIZE, SIZE))
    how = meta_of(file)['preprocessing']
    pixels = cv2.imread(str(picture))[..., ::-1].astype(np.float32)
    planes = ((pixels - np.float32(how['mean'])) / np.float32(how['std'])).transpose(2, 0, 1)
    for given, sizes in (({}, [(SIZE, SIZE)] * 2), (dict(sizes=[(40, 70), (90, 33)]), [(40, 70), (90, 33)])):
        feeds = dict(images=np.stack([planes] * 2), **{key: np.array(value) for key, value in given.items()})
        for found, size in zip(zip(*session(file).run(None, feeds)), sizes):
            for a, b in zip(found, mmdetection(model, cfg, picture, size)):
                np.testing.assert_allclose(a, b, atol=1e-2)
            assert (found[0] <= [*size[::-1], *size[::-1]]).all()


def session(file):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(file), options, providers=['CPUExecutionProvider'])


def meta_of(file):
    return {entry.key: json.loads(entry.value) for entry in onnx.load(str(file)).metadata_props}


def test_the_file(exported):
    model, cfg, file = exported
    proto = onnx.load(str(file))
    assert {node.domain for node in proto.graph.node} == {''}
    assert {'NonMaxSuppression', 'TopK'} <= {node.op_type for node in proto.graph.node}
    run = session(file)
    assert [x.name for x in run.get_inputs()] == ['images']
    assert [x.name for x in run.get_overridable_initializers()] == ['sizes']
    assert [(y.name, y.type, y.shape[0]) for y in run.get_outputs()] == [
        ('boxes', 'tensor(float)', 'batch'), ('labels', 'tensor(int64)', 'batch'), ('scores', 'tensor(float)', 'batch')]
    meta, test_cfg = meta_of(file), cfg.model.test_cfg
    assert meta['classes'] == CLASSES
    padded = cfg.test_dataloader.dataset.pipeline[2].type == 'Pad'
    assert meta['preprocessing'] == dict(
        scale=[SIZE, SIZE], keep_ratio=True, pad_size=[SIZE, SIZE] if padded else None,
        pad_value=[127.5] * 3 if padded else [0, 0, 0], mean=[120, 130, 125], std=[60, 50, 55], to_rgb=True, divisor=32)
    assert meta['detections'] == dict(score_thr=test_cfg.score_thr, nms_pre=test_cfg.nms_pre, iou_threshold=0.5,
                                      max_per_img=30, min_bbox_size=0)


@pytest.fixture(scope='module')
def rtmdet(tmp_path_factory):
    return make('rtmdet', tmp_path_factory.mktemp('rtmdet'), ROOT)[2]


def with_settings(detector, **changes):
    """The detector with another test_cfg."""
    other = copy.deepcopy(detector)
    other.test_cfg = other.bbox_head.test_cfg = ConfigDict({**detector.test_cfg, **changes})
    return other


def test_nothing_found_and_little_to_choose_from(rtmdet, tmp_path):
    """A threshold that nothing reaches; more boxes asked for than there are."""
    export_detector(with_settings(rtmdet, score_thr=0.99999, max_per_img=1000), tmp_path / 'd.onnx', [(1, 3, 64, 64)])
    boxes, labels, scores = session(tmp_path / 'd.onnx').run(None, dict(images=np.zeros((2, 3, 64, 64), np.float32)))
    assert boxes.shape[:2] == labels.shape == scores.shape == (2, 40 + 40 + 16)
    assert (labels == -1).all() and not boxes.any() and not scores.any()


@pytest.mark.parametrize('changes, message', [
    (dict(min_bbox_size=4), 'min_bbox_size is 4, in pixels of the original image'),
    (dict(nms=dict(type='soft_nms', iou_threshold=0.5)), "non-maximum suppression is {'type': 'soft_nms'"),
    (dict(score_thr=-1), 'score_thr=-1 and max_per_img=30; allowed are'),
    (dict(with_nms=False), 'its test_cfg has the settings'),
])
def test_refused_settings(rtmdet, tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        export_detector(with_settings(rtmdet, **changes), tmp_path / 'd.onnx')
    assert not list(tmp_path.iterdir())


def test_refused_heads(rtmdet):
    from mmdet.models.dense_heads import YOLOXHead
    assert Decoding(rtmdet).settings['max_per_img'] == 30
    other = torch.nn.Module()
    other.test_cfg, other.bbox_head = rtmdet.test_cfg, YOLOXHead(num_classes=4, in_channels=8, feat_channels=8)
    with pytest.raises(ValueError, match="can't be exported up to its boxes: its head, YOLOXHead, does not decode as"):
        Decoding(other)
    with pytest.raises(ValueError, match='it is no single-stage detector'):
        Decoding(rtmdet.backbone)


def test_bad_input_of_the_example_ends_in_one_sentence(rtmdet, tmp_path):
    export_detector(rtmdet, tmp_path / 'plain.onnx', [(1, 3, 64, 64)], dict(preprocessing=dict(to_rgb=True)))
    for file, message in (('missing.onnx', "missing.onnx' does not exist"), ('plain.onnx', 'does not say how pictures')):
        done = example(tmp_path / file, tmp_path / 'picture.png')
        assert done.returncode == 1 and message in done.stderr and len(done.stderr.splitlines()) == 1
