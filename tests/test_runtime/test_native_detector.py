"""The library's whole detector against PyTorch's operators, part by part and as a whole."""
import copy

import numpy as np
import pytest
import torch
import torch_rtmdet
from torch_rtmdet import PackedRTMDet, RTMDetSettings
from torchvision.ops import nms

from nasbnn_det.runtime import PackedDetector, PackedFile, load_packed, save_packed
from nasbnn_det.runtime.file import packed_bytes
from nasbnn_det.runtime.native_detector import decode
from nasbnn_det.runtime.native_network import prepare

DESCRIBED = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375])


def noise(rng, height, width):
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


def same_input(described, image):
    got, (want, size, scale) = prepare(described, image), torch_rtmdet.prepare(described, image)
    assert np.array_equal(got.planes, want[0].numpy())
    assert got.size == tuple(size) and got.scale == scale


def test_images_are_resized_as_by_opencv():
    rng = np.random.default_rng(0)
    for _ in range(120):
        image = noise(rng, *rng.integers(1, 90, 2))
        same_input(dict(DESCRIBED, scale=rng.integers(1, 120, 2).tolist(), keep_ratio=False), image)
    for height, width in ((90, 120), (91, 64), (180, 240)):  # halved, and nearly
        for scale in ([60, 45], [120, 90], [59, 45]):
            same_input(dict(DESCRIBED, scale=scale, keep_ratio=False), noise(rng, height, width))


@pytest.mark.parametrize('change', [
    dict(), dict(scale=[96, 64]), dict(scale=[64, 64], pad_size=[80, 70], pad_value=[114.5, 20, 300]), dict(to_rgb=False),
    dict(divisor=32), dict(scale=[50, 70], divisor=7, pad_size=[10, 90])])
def test_images_are_prepared_as_by_pytorch(change):
    rng = np.random.default_rng(0)
    for height, width in ((64, 64), (33, 101), (128, 32), (201, 150)):
        same_input({**DESCRIBED, **change}, noise(rng, height, width))
        same_input({**DESCRIBED, **change}, noise(rng, height + 9, width + 5)[4:-5, 3:-2])  # a part of a larger image


def test_wrong_descriptions_and_images_are_named():
    image = np.zeros((8, 8, 3), np.uint8)
    for described, message in ((dict(colour=3), 'preprocessing is described by'), (dict(std=[1, 0, 1]), 'three positive'),
                               (dict(scale=[0, 3]), 'scale is'), (dict(mean=[1e9, 0, 0]), 'three finite numbers'),
                               (dict(to_rgb=1), 'must be true or false'), (dict(divisor=0), 'integers from 1 to 1024')):
        with pytest.raises(ValueError, match=message):
            prepare(described, image)
    with pytest.raises(ValueError, match='too narrow or too low: its proportions kept, 32 x 0 pixels'):
        prepare(dict(scale=[32, 32]), np.zeros((2, 500, 3), np.uint8))
    with pytest.raises(ValueError, match='an input of 16384 x 16384 pixels is too large'):
        prepare(dict(pad_size=[16384, 16384]), image)


@pytest.fixture(scope='module')
def packed(trained):
    return load_packed(trained[2] / 'd.safetensors')


def reference(packed, **changes):
    """The detector in PyTorch's operators, of the same chains."""
    settings = {key: value for key, value in packed.info['network'].items() if key != 'kind'}
    return PackedRTMDet(packed.chains, RTMDetSettings(**{**settings, **changes}))


def changed_detector(packed, threads=None, **changes):
    """The library's detector with other settings of the head."""
    info = {**packed.info, 'network': {**packed.info['network'], **changes}}
    return PackedDetector(packed_bytes(PackedFile(packed.chains, packed.state, info)), threads)


@pytest.mark.parametrize('threads', [1, 3])
def test_the_maps_are_pytorchs(packed, trained, kernels, threads):
    detector = PackedDetector(trained[2] / 'd.safetensors', threads)
    for height, width in ((64, 64), (96, 160), (128, 40), (33, 70)):  # the last ones are no multiples of 32
        x = torch.randn(1, 3, height, width, generator=torch.Generator().manual_seed(height))
        with torch.inference_mode():
            want = reference(packed)(x)
        logits, distances = detector.maps(x[0])
        for got, level in zip(logits, want[0]):
            assert np.array_equal(got, level[0].permute(1, 2, 0).numpy())
        for got, level in zip(distances, want[1]):  # exp is the C library's here, and PyTorch's own there
            assert np.allclose(got, level[0].permute(1, 2, 0).numpy(), rtol=1e-6, atol=0)


def same_detections(got, want):
    """The same boxes in the same order; what has the same score in any order."""
    assert len(got.scores) == len(want.scores)
    assert np.allclose(got.scores, want.scores, rtol=0, atol=1e-6)
    rows = [sorted(zip(np.round(f.scores, 5).tolist(), f.labels.tolist(), np.round(f.boxes, 2).tolist()), reverse=True)
            for f in (got, want)]
    for (_, label, box), (_, wanted, expected) in zip(*rows):
        assert label == wanted and np.allclose(box, expected, atol=0.02)


@pytest.mark.parametrize('changes', [
    dict(), dict(score_thr=0.3), dict(nms_pre=20), dict(nms_pre=-1, iou_threshold=0.3, score_thr=0.1), dict(max_per_img=7),
    dict(min_bbox_size=20.0), dict(min_bbox_size=-1), dict(offset=0.5), dict(score_thr=1.0), dict(nms_pre=0)])
def test_detections_are_pytorchs(packed, changes):
    detector, network = changed_detector(packed, 2, **changes), reference(packed, **changes)
    rng = np.random.default_rng(0)
    counts = []
    for height, width in ((60, 100), (128, 128), (301, 90)):
        x = detector.prepare(noise(rng, height, width))
        want, = network.detect(torch.from_numpy(x.planes)[None], [x.size], [x.scale])
        got = detector.detect_prepared(x.planes, x.size, x.scale)
        same_detections(got, torch_rtmdet.Found(*(t.numpy() for t in want)))
        assert np.array_equal(detector.detect_prepared(torch.from_numpy(x.planes), x.size, x.scale).boxes, got.boxes)
        counts.append(len(got.scores))
    assert any(counts) == (changes not in (dict(score_thr=1.0), dict(nms_pre=0)))


def test_a_call_is_its_parts(packed, trained):
    detector = PackedDetector(trained[2] / 'd.safetensors')
    image = noise(np.random.default_rng(1), 70, 180)
    x = detector.prepare(image)
    parts, whole = detector.detect_prepared(x.planes, x.size, x.scale), detector(image)
    boxes = np.minimum(parts.boxes, np.float32([180, 70, 180, 70]))
    inside = (boxes[:, 2:] > boxes[:, :2]).all(1)
    assert np.array_equal(boxes[inside], whole.boxes) and np.array_equal(parts.scores[inside], whole.scores)
    few = detector(image, 0.97)
    assert 0 < len(few.scores) < len(whole.scores) and np.array_equal(few.boxes, whole.boxes[:len(few.boxes)])
    assert np.array_equal(detector(torch.from_numpy(image)).boxes, whole.boxes)
    assert np.array_equal(detector(image[:, ::-1]).boxes, detector(image[:, ::-1].copy()).boxes)


def test_no_numbers_are_no_boxes(packed):
    """Infinite and missing numbers in the maps end in nothing, or in boxes within the frame."""
    changed = copy.deepcopy(packed)
    for chain, value in (('bbox_head.rtm_reg.0', float('inf')), ('bbox_head.rtm_reg.1', float('nan')),
                         ('bbox_head.rtm_cls.2', float('nan'))):
        layer = changed.chains[chain].layers[0]
        layer.set_affine(*(torch.full_like(t, value) for t in layer.affine()))
    detector = changed_detector(changed, max_per_img=1000)
    found = detector(noise(np.random.default_rng(0), 90, 90))
    assert np.isfinite(found.boxes).all() and (found.boxes >= 0).all() and (found.boxes <= 90).all()


@pytest.mark.parametrize('value', [0, -1, 2000, 1.5, True, '2'])
def test_wrong_numbers_of_threads_are_named(trained, value):
    with pytest.raises(ValueError, match='threads is .*; allowed are None and integers from 1 to 1024'):
        PackedDetector(trained[2] / 'd.safetensors', value)


def test_prepared_images_of_another_form_are_named(trained):
    detector = PackedDetector(trained[2] / 'd.safetensors')
    for x in (np.zeros((1, 3, 64, 64), np.float32), np.zeros((3, 64, 64)), np.zeros((3, 0, 64), np.float32)):
        with pytest.raises(ValueError, match=r'array \(3, H, W\) of float32'):
            detector.detect_prepared(x, (64, 64))


def test_an_unknown_instruction_set_is_named(trained, on_isa):
    for name in ('sse9', 'reference'):
        on_isa(name)
        with pytest.raises(ValueError, match=f"NASBNN_DET_ISA is '{name}'; whole detectors run on .*portable"):
            PackedDetector(trained[2] / 'd.safetensors')


@pytest.mark.parametrize('classes, size', [(5, 320), (80, 320), (1000, 4000)])
def test_boxes_suppress_those_of_their_own_class_alone(classes, size):
    """Two levels look at the same points, so that two boxes of a class lie over each other."""
    rng = np.random.default_rng(0)
    logits, distances = [], []
    first = rng.uniform(5, 25, (10, 10, 4)).astype(np.float32)
    labels = classes - 1 - rng.integers(0, min(classes, 40), (10, 10))
    for change in (0, 1):
        level = np.full((10, 10, classes), -20, np.float32)
        np.put_along_axis(level, labels[..., None], rng.normal(size=(10, 10, 1)).astype(np.float32), 2)
        logits.append(level)
        distances.append(first * np.float32(1 - 0.6 * change * rng.random(first.shape)))
    settings = dict(num_classes=classes, strides=[size // 10] * 2, score_thr=0.01, nms_pre=-1, max_per_img=1000)
    got, everything = (decoded(logits, distances, dict(settings, iou_threshold=value), size) for value in (0.6, 1.0))
    assert len(everything.scores) == 200
    kept = []
    for label in np.unique(everything.labels):
        places, = np.nonzero(everything.labels == label)
        boxes, scores = (torch.from_numpy(a[places]).double() for a in (everything.boxes, everything.scores))
        kept += places[nms(boxes, scores, 0.6).numpy()].tolist()
    assert 0 < len(kept) < 200
    assert np.array_equal(np.sort(got.scores), np.sort(everything.scores[kept]))


def decoded(logits, distances, settings, size):
    """What the library decodes of maps."""
    return decode(dict(settings, kind='rtmdet'), (logits, distances), (size, size))


SETTINGS = dict(num_classes=7, strides=[8, 16], score_thr=0.02, nms_pre=700, max_per_img=300, iou_threshold=0.5, offset=0.0)


@pytest.mark.parametrize('changes', [dict(), dict(nms_pre=-1), dict(iou_threshold=0.9, nms_pre=100), dict(offset=0.5)])
def test_many_candidates_are_decoded_as_by_pytorch(changes):
    rng = np.random.default_rng(0)
    settings = dict(SETTINGS, **changes)
    # Logits that lie apart, so that rounding does not change their order.
    values = rng.permutation(np.linspace(-6, 6, 30 * 30 * 7 + 15 * 15 * 7).astype(np.float32))
    logits = [part.reshape(side, side, 7) for side, part in zip((30, 15), np.split(values, [30 * 30 * 7]))]
    distances = [rng.uniform(1, 60, (side, side, 4)).astype(np.float32) for side in (30, 15)]
    got = decoded(logits, distances, settings, 240)
    want = torch_rtmdet.decode(*([torch.from_numpy(x).permute(2, 0, 1) for x in maps] for maps in (logits, distances)),
                               RTMDetSettings(**settings), (240, 240), (1.0, 1.0))
    assert len(got.scores) >= 100
    assert np.allclose(got.scores, want.scores.numpy(), rtol=0, atol=1e-6)
    assert np.array_equal(got.labels, want.labels.numpy())
    assert np.allclose(got.boxes, want.boxes.numpy(), rtol=0, atol=1e-3)


def test_equal_scores_come_in_the_order_of_their_places():
    logits = [np.full((4, 4, 7), 1, np.float32), np.full((2, 2, 7), 1, np.float32)]
    distances = [np.full((side, side, 4), size, np.float32) for side, size in ((4, 1), (2, 3))]
    found = decoded(logits, distances, SETTINGS, 64)
    assert found.labels.tolist() == list(range(7)) * 20
    assert found.boxes[::7, 0].tolist() == [max(0, 8 * x - 1) for _ in range(4) for x in range(4)] + [0, 13, 0, 13]


def test_a_file_with_another_sum_is_refused(packed, tmp_path):
    save_packed(tmp_path / 'd.safetensors', packed)
    data = bytearray((tmp_path / 'd.safetensors').read_bytes())
    data[-3] ^= 1
    for file in (bytes(data), tmp_path / 'd.safetensors'):
        (tmp_path / 'd.safetensors').write_bytes(data)
        with pytest.raises(ValueError, match='is damaged: its checksum is wrong'):
            PackedDetector(file)
