"""A whole detector: packed inside MMDetection, and from its file alone."""
import copy
import json
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.runner import save_checkpoint
from packed_detector import CLASSES, CONFIG

from nasbnn_det.apis import PackedDetector
from nasbnn_det.deploy.packing import describe_network, pack_checkpoint
from nasbnn_det.deploy.preprocessing import read_preprocessing
from nasbnn_det.registry import MODELS
from nasbnn_det.runtime import load_packed, pack, save_packed
from nasbnn_det.runtime.native_network import prepare

ROOT = Path(__file__).resolve().parents[2]


def shapes_images(root):
    return sorted((root / 'val').glob('*.jpg'))


def predict(model, image, cfg):
    """MMDetection's own way from an image to boxes."""
    from mmcv.transforms import Compose
    from mmdet.utils import register_all_modules
    register_all_modules(init_default_scope=False)
    steps = [step for step in cfg.test_dataloader.dataset.pipeline if step['type'] != 'LoadAnnotations']
    data = Compose(steps)(dict(img_path=str(image), img_id=0))
    with torch.no_grad():
        return model.test_step(dict(inputs=[data['inputs']], data_samples=[data['data_samples']]))[0].pred_instances


def same_detections(found, want):
    """Boxes, labels and scores agree to 1e-3, in the order of their scores; equal scores in any order."""
    assert len(found.scores) == len(want.scores)
    assert np.allclose(found.scores, want.scores, atol=1e-3)
    for box, label, score in zip(want.bboxes.numpy(), want.labels.numpy(), want.scores.numpy()):
        near = (np.abs(found.boxes - box).max(1) < 1e-2) & (found.labels == label)
        assert (near & (np.abs(found.scores - score) < 1e-3)).any(), score


def test_a_file_alone_finds_what_mmdetection_finds(trained, tiny_shapes, kernels):
    cfg, model, folder = trained
    detector = PackedDetector(folder / 'd.safetensors')
    assert detector.classes == tuple(CLASSES)
    exact = []
    for image in shapes_images(tiny_shapes):
        want, found = predict(model, image, cfg), detector(image)
        assert len(found.scores) > 5
        try:
            same_detections(found, want)
            exact.append(True)
        except AssertionError:  # a sum that is zero up to rounding turned a sign
            exact.append(False)
    assert sum(exact) >= len(exact) - 1


def test_packed_inside_mmdetection(trained, tiny_shapes):
    cfg, model, folder = trained
    packed = load_packed(folder / 'd.safetensors').apply_to(MODELS.build(cfg.model))
    image = shapes_images(tiny_shapes)[0]
    found, alone = predict(packed, image, cfg), PackedDetector(folder / 'd.safetensors')(image)
    assert np.array_equal(found.labels, alone.labels)
    assert np.allclose(found.scores, alone.scores, atol=1e-6)
    assert np.allclose(found.bboxes, alone.boxes, atol=1e-3)


def test_the_file_is_a_twentieth_of_the_weights(trained):
    _, model, folder = trained
    floats = sum(4 * t.numel() for t in model.state_dict().values())
    assert floats / (folder / 'd.safetensors').stat().st_size > 20


_ALONE = '''
import sys

class Refuse:
    """Nothing of PyTorch's or OpenMMLab's, and no room but the runtime and what it may use, is imported."""
    def find_spec(self, name, path=None, target=None):
        first, _, rest = name.partition('.')
        room = rest.partition('.')[0]
        if first in REFUSED or first == 'nasbnn_det' and room not in ROOMS:
            raise ImportError(f'{name} was imported')

REFUSED = ('mmcv', 'mmdet', 'mmengine', 'mmpretrain', 'torch', 'torchvision', 'safetensors', *sys.argv[4:])
ROOMS = ('', 'apis', 'files', 'image_files', 'nameless_user', 'native', 'registration', 'runtime', 'version')
sys.meta_path.insert(0, Refuse())
import numpy as np
from nasbnn_det.apis import PackedDetector
detector = PackedDetector(sys.argv[1])
image = sys.argv[2] if sys.argv[2].endswith('.jpg') else np.load(sys.argv[2])
found = detector(image)
assert 'torch' not in sys.modules
print(len(found.scores))
if not sys.argv[4:]:
    ROOMS += ('visualization', )
    import cv2
    cv2.imwrite(sys.argv[3], detector.draw(image, found, 0.0))
'''


def test_it_runs_without_pytorch_and_mmdetection_and_draws(trained, tiny_shapes, tmp_path):
    image, out = shapes_images(tiny_shapes)[0], tmp_path / 'drawn.png'
    np.save(tmp_path / 'image.npy', cv2.imread(str(image)))
    want = len(PackedDetector(trained[2] / 'd.safetensors')(image).scores)
    assert want > 0
    # An array needs no reader of images, a file one of the two.
    for given, refused in ((image, []), (image, ['cv2']), (tmp_path / 'image.npy', ['cv2', 'PIL'])):
        command = [sys.executable, '-c', _ALONE, trained[2] / 'd.safetensors', given, out, *refused]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert int(done.stdout) == want
    assert not np.array_equal(cv2.imread(str(out)), cv2.imread(str(image)))


def test_without_a_compiler_one_sentence_says_so(trained, tiny_shapes, tmp_path):
    import os
    command = [sys.executable, '-m', 'nasbnn_det', 'detect', trained[2] / 'd.safetensors', shapes_images(tiny_shapes)[0]]
    env = {**os.environ, 'CXX': 'no-such-compiler', 'XDG_CACHE_HOME': str(tmp_path), 'NASBNN_DET_ISA': ''}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=env)
    assert done.returncode == 1 and 'error: the kernels are not compiled: there is no C++ compiler' in done.stderr
    assert 'Traceback' not in done.stderr


@pytest.mark.parametrize('size', [(90, 64), (33, 101), (128, 128), (300, 20)])
def test_preprocessing_is_the_configs(trained, size, tmp_path):
    cfg, model, _ = trained
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (*size, 3), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / 'i.png'), image)
    from mmcv.transforms import Compose
    from mmdet.utils import register_all_modules
    register_all_modules(init_default_scope=False)
    steps = [step for step in cfg.test_dataloader.dataset.pipeline if step['type'] != 'LoadAnnotations']
    data = Compose(steps)(dict(img_path=str(tmp_path / 'i.png'), img_id=0))
    want = model.data_preprocessor(dict(inputs=[data['inputs']], data_samples=[data['data_samples']]))
    x, inner, scale = prepare(read_preprocessing(cfg, model), image)
    assert np.array_equal(x[None], want['inputs'])
    assert inner == tuple(want['data_samples'][0].img_shape[:2])
    assert scale == pytest.approx(want['data_samples'][0].scale_factor)


def test_bad_images_are_named(trained, tmp_path):
    detector = PackedDetector(trained[2] / 'd.safetensors')
    with pytest.raises(FileNotFoundError, match="image '.*none.jpg' does not exist"):
        detector(tmp_path / 'none.jpg')
    (tmp_path / 'bad.jpg').write_text('no image')
    with pytest.raises(ValueError, match="bad.jpg' can't be read"):
        detector(tmp_path / 'bad.jpg')
    with pytest.raises(ValueError, match=r'\(H, W, 3\) of uint8'):
        detector(np.zeros((4, 4), np.uint8))


@pytest.mark.parametrize('change, message', [
    (dict(network=None), 'does not stand by itself: evaluate it with tools/test.py'),
    (dict(network=dict(kind='yolo')), "knows the kinds 'fcos', 'retinanet', 'rtmdet', 'ssd'"),
    (dict(network=dict(kind='rtmdet', num_classes=5)), 'num_classes and strides must be among them'),
    (dict(network=dict(kind='rtmdet', num_classes=4, strides=[8, 16, 32])), 'another number of outputs than 4'),
    (dict(network=dict(kind='rtmdet', num_classes=5, strides=[8, 16])), 'needs a chain backbone with 2 outputs'),
    (dict(classes=['a']), 'needs the names of 5 classes'),
    (dict(preprocessing=dict(mean=[0, 0, 0], std=[1, 0, 1])), 'three positive numbers'),
    (dict(preprocessing=dict(scale=[0, 3])), 'scale is'),
    (dict(preprocessing=3), 'preprocessing is described by'),
])
def test_files_that_describe_no_detector_are_refused(trained, change, message, tmp_path):
    packed = load_packed(trained[2] / 'd.safetensors')
    packed.info.update(change)
    save_packed(tmp_path / 'x.safetensors', packed)
    with pytest.raises(ValueError, match=message):
        PackedDetector(tmp_path / 'x.safetensors')


def changed(cfg, change):
    """A copy of a config; ``change(pipeline, step by its name, config)`` alters it."""
    cfg = copy.deepcopy(cfg)
    pipeline = cfg.test_dataloader.dataset.pipeline
    change(pipeline, {step['type'].rpartition('.')[2]: step for step in pipeline}, cfg)
    return cfg


def wrap(cfg, **wrapper):
    inner = cfg.test_dataloader.dataset
    cfg.test_dataloader.dataset = {key: [inner] if value == 'inners' else inner if value == 'inner' else value
                                   for key, value in wrapper.items()}


@pytest.mark.parametrize('change', [
    lambda pipeline, step, cfg: wrap(cfg, type='RepeatDataset', times=2, dataset='inner'),
    lambda pipeline, step, cfg: wrap(cfg, type='ConcatDataset', datasets='inners'),
    lambda pipeline, step, cfg: pipeline.insert(2, dict(type='Pad', size=(150, 140), pad_val=dict(img=(10, 20, 30)))),
    lambda pipeline, step, cfg: step['Resize'].update(scale=(100, 80), keep_ratio=False),
    lambda pipeline, step, cfg: pipeline[0].update(imdecode_backend='cv2', backend_args=dict(backend='local')),
], ids=['repeated', 'concatenated', 'pad_value', 'scale', 'loader'])
def test_what_a_file_has_words_for_is_read_from_the_pipeline(trained, change):
    cfg = changed(trained[0], change)
    assert prepare(read_preprocessing(cfg, trained[1]), np.zeros((50, 70, 3), np.uint8)).planes.size


@pytest.mark.parametrize('change, message', [
    (lambda pipeline, step, cfg: pipeline.insert(1, dict(type='Mosaic')), r'has the step Mosaic\(\)'),
    (lambda pipeline, step, cfg: pipeline.insert(2, dict(type='CenterCrop', crop_size=(96, 96))), 'has the step CenterCrop'),
    (lambda pipeline, step, cfg: pipeline.insert(2, dict(type='Pad', size_divisor=32)), r'step Pad\(size_divisor=32\)'),
    (lambda pipeline, step, cfg: step['Resize'].pop('scale') and step['Resize'].update(scale_factor=2.0),
     'scale_factor=2.0'),
    (lambda pipeline, step, cfg: step['Resize'].update(type='FixScaleResize'), 'has the step FixScaleResize'),
    (lambda pipeline, step, cfg: step['Resize'].update(interpolation='area'), "another way.*interpolation='area'"),
    (lambda pipeline, step, cfg: step['Resize'].update(backend='pillow'), "another way.*backend='pillow'"),
    (lambda pipeline, step, cfg: pipeline[0].update(imdecode_backend='pillow'), "imdecode_backend='pillow'"),
    (lambda pipeline, step, cfg: pipeline[0].update(color_type='color_ignore_orientation'), 'ignore_orientation'),
    (lambda pipeline, step, cfg: pipeline[0].update(color_type='grayscale'), "grayscale|fail on made images"),
    (lambda pipeline, step, cfg: pipeline[0].update(to_float32=True), 'to_float32=True'),
    (lambda pipeline, step, cfg: pipeline.insert(2, dict(type='Pad', size=(150, 150), padding_mode='reflect')), 'reflect'),
    (lambda pipeline, step, cfg: pipeline.insert(1, dict(type='Pad', size=(150, 150))), 'another way'),
    (lambda pipeline, step, cfg: cfg.model.data_preprocessor.update(mean=[1, 2, 3]), 'another way'),
    (lambda pipeline, step, cfg: cfg.test_dataloader.dataset.update(pipeline=[]), 'has no pipeline'),
    (lambda pipeline, step, cfg: wrap(cfg, type='MultiImageMixDataset', pipeline=[dict(type='Mosaic')], dataset='inner'),
     'MultiImageMixDataset with a pipeline of its own'),
])
def test_pipelines_that_a_file_has_no_words_for_are_named(trained, change, message):
    with pytest.raises(ValueError, match=message):
        read_preprocessing(changed(trained[0], change), trained[1])


def test_a_pipeline_without_words_makes_a_file_that_needs_its_config(trained, tmp_path):
    cfg, model, folder = trained
    cfg = changed(cfg, lambda pipeline, step, cfg: step['Resize'].update(interpolation='area'))
    cfg.model.backbone.init_cfg = dict(type='Pretrained', checkpoint='gone.pth')
    before = copy.deepcopy(cfg.to_dict())
    packed = pack_checkpoint(cfg, folder / 'd.pth')
    assert cfg.to_dict() == before
    assert packed.info['network'] is None and packed.info['arch'] == model.backbone.arch.to_dict()
    save_packed(tmp_path / 'p.safetensors', packed)
    with pytest.raises(ValueError, match=r"by itself \(its test pipeline.*interpolation='area'.*tools/test.py CONFIG"):
        PackedDetector(tmp_path / 'p.safetensors')
    cfg.model.backbone.init_cfg = None
    load_packed(tmp_path / 'p.safetensors').apply_to(MODELS.build(cfg.model))


@pytest.mark.parametrize('wrapped', [False, True])
def test_classes_of_checkpoint_and_config_are_compared(trained, wrapped, tmp_path):
    cfg, model, _ = trained
    names = CLASSES[1:] + CLASSES[:1]
    cfg = changed(cfg, lambda pipeline, step, cfg: cfg.test_dataloader.dataset.update(metainfo=dict(classes=names)))
    if wrapped:
        wrap(cfg, type='ConcatDataset', datasets='inners')
    meta = dict(dataset_meta=dict(classes=CLASSES))
    save_checkpoint(dict(state_dict=model.state_dict(), meta=meta), str(tmp_path / 'd.pth'))
    with pytest.raises(ValueError, match=f"'{CLASSES[0]}' has label 0 in checkpoint '.*d.pth' and label 4 in the config's"):
        pack_checkpoint(cfg, tmp_path / 'd.pth')
    # Weights alone say nothing of classes: the config does.
    save_checkpoint(dict(state_dict=model.state_dict()), str(tmp_path / 'weights.pth'))
    assert pack_checkpoint(cfg, tmp_path / 'weights.pth').info['classes'] == list(names)


def test_a_detector_without_names_for_its_classes_needs_its_config(trained, tmp_path):
    cfg, model, _ = trained
    save_checkpoint(dict(state_dict=model.state_dict()), str(tmp_path / 'weights.pth'))
    info = pack_checkpoint(cfg, tmp_path / 'weights.pth').info
    assert info['network'] is None and info['needs_config'] == (
        'its network tells 5 classes apart, and checkpoint and config name 0')


def neck_maps(model, maps):
    """What the neck computes, whatever its ``forward`` was replaced by."""
    return type(model.neck).forward(model.neck, maps)


@pytest.mark.parametrize('change, message', [
    (lambda model: model.test_cfg.nms.update(type='soft_nms'), "suppression is {'type': 'soft_nms'"),
    (lambda model: model.test_cfg.nms.update(class_agnostic=True), 'suppression is'),
    (lambda model: model.test_cfg.nms.update(offset=1), 'suppression is'),
    (lambda model: model.test_cfg.update(with_nms=False), r"test_cfg has the settings \[.*'with_nms'"),
    (lambda model: setattr(model, 'bbox_head', torch.nn.Identity()), "its head is none of RTMDet's, Ret"),
    (lambda model: setattr(model.neck.laterals, '0', torch.nn.Identity()), 'needs a chain neck.laterals.0'),
    (lambda model: setattr(model.neck, 'forward', lambda maps: [2 * x for x in neck_maps(model, maps)]), 'other maps'),
])
def test_a_network_that_a_file_has_no_words_for_is_named(trained, change, message):
    model = pack(trained[1])
    model.test_cfg = copy.deepcopy(model.test_cfg)
    assert describe_network(model)['kind'] == 'rtmdet'
    change(model)
    with pytest.raises(ValueError, match=message):
        describe_network(model)


def test_a_model_of_other_classes_is_refused(trained):
    cfg = copy.deepcopy(trained[0].model)
    cfg.bbox_head.num_classes = 4
    with pytest.raises(ValueError, match='packed file is of 5 classes, the model of 4'):
        load_packed(trained[2] / 'd.safetensors').apply_to(MODELS.build(cfg))


def test_a_model_of_another_architecture_is_refused(trained):
    cfg, _, folder = trained
    packed = load_packed(folder / 'd.safetensors')
    packed.info['arch']['stages'].pop()
    with pytest.raises(ValueError, match='of another architecture'):
        packed.apply_to(MODELS.build(copy.deepcopy(cfg.model)))


@pytest.mark.parametrize('kind', ['jpg', 'png'])
def test_a_half_written_image_is_refused(trained, kind, tmp_path):
    detector = PackedDetector(trained[2] / 'd.safetensors')
    rows, columns = np.mgrid[:60, :80]
    content = cv2.imencode(f'.{kind}', np.stack([rows, columns, rows + columns], 2).astype(np.uint8))[1].tobytes()
    for name, part in (('whole', content), ('longer', content + b'more')):
        (tmp_path / f'{name}.{kind}').write_bytes(part)
    want, found = detector(tmp_path / f'whole.{kind}'), detector(tmp_path / f'longer.{kind}')
    assert np.array_equal(found.boxes, want.boxes)
    for share in (0.0, 0.5, 0.9):
        (tmp_path / f'part.{kind}').write_bytes(content[:int(share * len(content))])
        for call in (detector, detector.draw):
            with pytest.raises(ValueError, match=f"part.{kind}' can't be read"):
                call(tmp_path / f'part.{kind}')


def test_tools_pack_and_evaluate(trained, tiny_shapes, tmp_path, run_tool):
    folder = trained[2]
    options = ['--cfg-options', f'test_dataloader.dataset.data_root={tiny_shapes}', 'test_dataloader.num_workers=0',
               'test_dataloader.persistent_workers=False',
               f'test_evaluator.ann_file={tiny_shapes / "annotations" / "instances_val.json"}']

    def run(*command):
        done = run_tool(*map(str, command), *options)
        assert done.returncode == 0, done.stderr
        return done.stdout

    # A model's parameters hold what levels share once; its buffers are small.
    size = 4e-6 * sum(parameter.numel() for parameter in trained[1].parameters())
    printed = run('tools/deploy/pack.py', CONFIG, folder / 'd.pth', tmp_path / 'p.safetensors')
    floats, times = re.search(r'float32: ([0-9.]+) MB, ([0-9.]+) times as large', printed).groups()
    assert float(floats) == pytest.approx(size, rel=0.01)
    packed = (tmp_path / 'p.safetensors').stat().st_size
    assert float(times) == pytest.approx(float(floats) * 1e6 / packed, abs=0.06)
    metrics = []
    for checkpoint in (folder / 'd.pth', tmp_path / 'p.safetensors'):
        run('tools/test.py', CONFIG, checkpoint, '--work-dir', tmp_path / 'test')
        metrics.append(json.loads((tmp_path / 'test' / 'result.json').read_text())['metrics'])
    assert metrics[1]['coco/bbox_mAP'] == pytest.approx(metrics[0]['coco/bbox_mAP'], abs=0.02)
