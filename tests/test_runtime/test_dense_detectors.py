"""Packed RetinaNet, FCOS and SSD, by the library alone and inside MMDetection."""
import copy

import numpy as np
import pytest
import torch
from test_packed_detector import predict

from nasbnn_det.deploy.packing import describe_network
from nasbnn_det.registry import MODELS
from nasbnn_det.runtime import PackedDetector, PackedFile, load_packed, pack
from nasbnn_det.runtime.file import packed_bytes
from nasbnn_det.runtime.native_detector import decode

pytest.importorskip('mmdet')
import cv2  # noqa: E402
from dense_detectors import MAKERS, make  # noqa: E402

FEW, MANY = dict(score_thr=0.8, max_per_img=20), dict(score_thr=0.001, max_per_img=1000, nms_pre=300)


@pytest.fixture(scope='module', params=list(MAKERS))
def small(request, tmp_path_factory):
    """Config and packed file of a detector."""
    folder = tmp_path_factory.mktemp(request.param)
    return make(request.param, folder), folder / 'd.safetensors'


def with_settings(packed, **changes):
    """The library's detector with other settings."""
    info = {**packed.info, 'network': {**packed.info['network'], **changes}}
    return PackedDetector(packed_bytes(PackedFile(packed.chains, packed.state, info)), 2)


def same_detections(found, want):
    """Each box has its like: equal scores up to rounding come in any order."""
    assert len(found.scores) == len(want.scores)
    assert np.allclose(found.scores, want.scores, rtol=0, atol=1e-6)
    for box, label, score in zip(want.bboxes.numpy(), want.labels.numpy(), want.scores.numpy()):
        near = (np.abs(found.boxes - box).max(1) < 1e-2) & (found.labels == label)
        assert (near & (np.abs(found.scores - score) < 1e-6)).any(), (box, label, score)


@pytest.mark.parametrize('settings', [FEW, MANY], ids=['few', 'many'])
def test_boxes_are_those_of_the_packed_model_in_mmdetection(small, settings, tmp_path):
    cfg, path = small
    packed = load_packed(path)
    assert packed.info['needs_config'] is None
    cfg = copy.deepcopy(cfg)
    cfg.model.test_cfg.update(settings)
    model, detector = packed.apply_to(MODELS.build(cfg.model)), with_settings(packed, **settings)
    rng, counts = np.random.default_rng(0), []
    for height, width in ((60, 100), (96, 96), (201, 90)):
        cv2.imwrite(str(tmp_path / 'i.png'), rng.integers(0, 256, (height, width, 3), dtype=np.uint8))
        x = detector.prepare(tmp_path / 'i.png')
        found = detector.detect_prepared(x.planes, x.size, x.scale)
        same_detections(found, predict(model, tmp_path / 'i.png', cfg))
        counts.append(len(found.scores))
    assert 0 < max(counts) <= 20 if settings is FEW else min(counts) > 20


@pytest.mark.parametrize('threads', [1, 3])
def test_maps_are_those_of_the_packed_model(small, kernels, threads):
    cfg, path = small
    detector, model = PackedDetector(path, threads), load_packed(path).apply_to(MODELS.build(copy.deepcopy(cfg.model)))
    for height, width in ((64, 64), (96, 160), (33, 70)):
        image = torch.randn(1, 3, height, width, generator=torch.Generator().manual_seed(height))
        with torch.inference_mode():
            want = model(image, mode='tensor')
        found = detector.maps(image[0])
        assert len(found) == len(want)
        for i, (branch, wanted) in enumerate(zip(found, want)):
            for level, expected in zip(branch, wanted):
                # exp of distances is the C library's here, and PyTorch's own there.
                assert np.allclose(level, expected[0].permute(1, 2, 0).numpy(), rtol=1e-6 if i == 1 else 0, atol=0)


def made_maps(detector, size, spread=6.0, seed=0):
    """Maps of a head for an image of that size, whose logits lie apart."""
    rng = np.random.default_rng(seed)
    shapes = [[level.shape for level in branch] for branch in detector.maps(np.zeros((3, *size), np.float32))]
    maps = [[rng.uniform(0.1, 3, shape).astype(np.float32) for shape in branch] for branch in shapes]
    values = rng.permutation(np.linspace(-spread, spread, sum(level.size for level in maps[0]), dtype=np.float32))
    for level in maps[0]:
        level[...] = values[:level.size].reshape(level.shape)
        values = values[level.size:]
    return maps


def decoded_by_mmdetection(model, maps, size, **settings):
    cfg = copy.deepcopy(model.test_cfg)
    cfg.update(settings)
    return model.bbox_head.predict_by_feat(
        *([torch.from_numpy(level).permute(2, 0, 1)[None] for level in branch] for branch in maps),
        batch_img_metas=[dict(img_shape=size, scale_factor=(1.0, 1.0))], cfg=cfg)[0]


@pytest.mark.parametrize('changes', [
    dict(), dict(score_thr=0.6), dict(nms_pre=20), dict(max_per_img=7), dict(min_bbox_size=4.0), dict(min_bbox_size=-1),
    dict(score_thr=0.0, nms_pre=2000, max_per_img=2000), dict(score_thr=1.0)])
def test_maps_are_decoded_as_by_mmdetection(small, changes):
    cfg, path = small
    packed, size = load_packed(path), (96, 160)
    network, model = {**packed.info['network'], **changes}, MODELS.build(copy.deepcopy(cfg.model)).eval()
    maps = made_maps(PackedDetector(path), size)
    found = decode(network, maps, size)
    same_detections(found, decoded_by_mmdetection(model, maps, size, **changes))
    assert (len(found.scores) > 0) == (changes != dict(score_thr=1.0))


def test_no_numbers_are_no_boxes(small):
    """Infinite and missing numbers in the maps end in nothing, or in boxes within the frame."""
    packed, size = load_packed(small[1]), (96, 96)
    maps = made_maps(PackedDetector(small[1]), size)
    rng = np.random.default_rng(1)
    for branch in maps:
        for level in branch:
            for value in (np.nan, np.inf, -np.inf):
                level[rng.random(level.shape) < 0.1] = value
    found = decode({**packed.info['network'], 'max_per_img': 2000}, maps, size)
    assert np.isfinite(found.boxes).all() and (found.boxes >= 0).all() and (found.boxes <= 96).all()
    assert np.isfinite(found.scores).all() and (found.scores <= 1).all()


@pytest.mark.parametrize('change, message', [
    (dict(num_classes=4), 'another number of outputs than'),
    (dict(neck='hourglass'), "its neck is 'hourglass'; this release knows 'extra', 'fpn', 'pafpn'"),
    (dict(kind='yolo'), "this release knows the kinds 'fcos', 'retinanet', 'rtmdet', 'ssd'"),
    (dict(depth=3), 'the head is described by'),
    (dict(strides=[8]), 'needs'),
    (dict(neck=3), 'neck is 3; its name is wanted'),
])
def test_descriptions_that_contradict_the_chains_are_refused(small, change, message):
    with pytest.raises(ValueError, match=f'describes no detector: .*{message}'):
        with_settings(load_packed(small[1]), **change)


def test_wrong_settings_of_a_kind_are_named(small):
    packed = load_packed(small[1])
    cases = dict(anchors=[[[1, 2]]], means=[0, 0], stds='1', scales=[1, 2, 'x'], norm_on_bbox=1, offset='0')
    tried = [key for key in cases if key in packed.info['network']]
    assert tried
    for key in tried:
        with pytest.raises(ValueError, match=f'describes no detector: {key} '):
            with_settings(packed, **{key: cases[key]})


def test_a_missing_chain_is_named(small):
    packed = load_packed(small[1])
    for name in [name for name in packed.chains if name.startswith('bbox_head') and 'tower' not in name]:
        rest = {key: chain for key, chain in packed.chains.items() if key != name}
        with pytest.raises(ValueError, match=f'needs a chain {name}|weight of "{name}'):
            PackedDetector(packed_bytes(PackedFile(rest, packed.state, packed.info)))


@pytest.mark.parametrize('change, message', [
    (lambda head: setattr(head.bbox_coder, 'clip_border', False), 'not clipped to the image'),
    (lambda head: setattr(head, 'predict_by_feat', lambda *maps, **kwargs: type(head).predict_by_feat(
        head, [2 * x for x in maps[0]], *maps[1:], **kwargs)), 'the model makes other boxes of the same maps'),
    (lambda head: setattr(head, 'use_sigmoid_cls', not head.use_sigmoid_cls), 'its scores are no'),
])
def test_decoding_that_a_file_has_no_words_for_is_named(small, change, message):
    model = pack(MODELS.build(copy.deepcopy(small[0].model)).eval())
    change(model.bbox_head)
    with pytest.raises(ValueError, match=message):
        describe_network(model)
