"""Exported C code gives the packed runtime's bits; what is no network for it ends in one sentence."""
import json
import shutil

import cv2
import numpy as np
import pytest
import torch
from c99_networks import write_classifier, write_detector, write_random

from nasbnn_det.deploy.c99 import TARGETS, check_program, export_c
from nasbnn_det.deploy.c99.arena import plan_arena
from nasbnn_det.deploy.c99.constants import c_float, pack_bits
from nasbnn_det.deploy.c99.export import c_string
from nasbnn_det.deploy.c99.networks import read_network
from nasbnn_det.runtime import PackedClassifier, PackedDetector, PackedFile, load_packed, save_packed
from nasbnn_det.runtime.torch_classifier import TorchClassifier

EMULATED = [name for name, target in TARGETS.items() if target.machine]
needs_cc = pytest.mark.skipif(bool(TARGETS['host'].missing()), reason='there is no C compiler cc')
SANITIZERS = ['-O1', '-fsanitize=address,undefined', '-fno-sanitize-recover=all']


@pytest.fixture(scope='module')
def classifier(tmp_path_factory):
    return write_classifier(tmp_path_factory.mktemp('classifier') / 'c.safetensors')


@pytest.fixture(scope='module')
def detector(tmp_path_factory):
    pytest.importorskip('mmdet')
    return write_detector(tmp_path_factory.mktemp('detector') / 'd.safetensors')


@needs_cc
def test_a_classifier_gives_the_same_bits(classifier, tmp_path):
    report = export_c(classifier, tmp_path, name='digits')
    assert report['kind'] == 'classifier' and report['input'] == [32, 32]
    assert check_program(tmp_path, 'digits', 'host')['passed']
    text = (tmp_path / 'main.c').read_text()
    logits = text.index('expected_logits[] = {\n') + len('expected_logits[] = {\n')
    assert text[logits:].lstrip()[0] in '-0'
    (tmp_path / 'main.c').write_text(text[:logits] + '  0x1p+0f,' + text[text.index(',', logits) + 1:])
    result = check_program(tmp_path, 'digits', 'host')
    assert not result['passed'] and 'another logit' in result['output']


@needs_cc
def test_a_detector_gives_the_same_bits_and_boxes(detector, tmp_path):
    image = np.random.default_rng(1).integers(0, 256, (48, 30, 3), np.uint8)  # is resized and padded
    report = export_c(detector, tmp_path, image=image)
    assert report['maps'] == 6 and report['detections'] > 5
    assert check_program(tmp_path, 'network', 'host')['passed']
    text = (tmp_path / 'main.c').read_text()
    first = text.index('0x', text.index('expected_maps[] = {'))
    (tmp_path / 'main.c').write_text(text[:first] + '0x12345678u' + text[first + 11:])
    result = check_program(tmp_path, 'network', 'host')
    assert not result['passed'] and 'other bits in a map\nmap 0\n' in result['output']


@needs_cc
@pytest.mark.parametrize('seed', range(3))
def test_layers_of_all_kinds_under_sanitizers(seed, tmp_path):
    export_c(write_random(tmp_path / 'r.safetensors', seed), tmp_path)
    result = check_program(tmp_path, 'network', 'host', flags=SANITIZERS)
    assert result['passed'], result['output']


@pytest.mark.parametrize('target', EMULATED)
def test_cortex_m(target, classifier, detector, tmp_path):
    if TARGETS[target].missing():
        pytest.skip(f"{' and '.join(TARGETS[target].missing())} not found; see docs/deployment.md")
    for path in (classifier, detector):
        report = export_c(path, tmp_path)
        result = check_program(tmp_path, 'network', target)
        assert result['passed'], result['output']
        assert report['constants_bytes'] < result['flash_bytes'] < report['constants_bytes'] + 16384
        assert report['arena_bytes'] + result['stack_bytes'] <= result['ram_bytes'] < report['arena_bytes'] + 4096
        # A word of 32 multiply-accumulates takes several instructions, but not hundreds.
        assert report['macs']['binary'] / 10 < result['instructions'] < 100 * sum(report['macs'].values())


def test_maps_that_are_needed_at_once_lie_apart(detector):
    graph = read_network(detector)[0].graph
    kept = tuple(step.sources[1] for step in graph.delivered)
    arena = plan_arena(graph, 100, kept)
    end = len(graph.steps)
    last = {index: end if index in kept else i for i, step in enumerate(graph.steps) for index in step.sources}
    made = {step.target: i for i, step in enumerate(graph.steps)}

    def alive(i):
        step = graph.steps[i]
        over = step.overwrites(graph.maps)
        in_place = over is not None and arena.maps[over] == arena.maps[step.target]
        replaced = {over} if in_place else set()
        spans = [(arena.maps[k], graph.maps[k].values) for k in last if made[k] <= i <= last[k] and k not in replaced]
        if i in arena.floats_of:
            spans.append((arena.floats_of[i], step.scratch(graph.maps).floats))
        assert not in_place or last[over] == i
        return sorted(spans), in_place

    replacements = 0
    for i in range(end):
        spans, replaced = alive(i)
        replacements += replaced
        assert all(a + size <= b for (a, size), (b, _) in zip(spans, spans[1:])), i
        assert all(at + size <= arena.floats for at, size in spans)
    assert replacements > 5
    assert arena.floats < 0.5 * sum(size.values for size in graph.maps)


def test_constants_keep_their_bits():
    values = np.array([0.0, -0.0, 1e-42, 0.1, -3.4e38], np.float32)
    assert [np.float32(float.fromhex(c_float(v)[:-1])).tobytes() for v in values] == [v.tobytes() for v in values]
    with pytest.raises(ValueError, match='finite'):
        c_float(np.float32('inf'))
    weight = np.zeros((1, 5, 3, 3), bool)
    weight[0, 2, 1, 0] = True  # bit (3 * 1 + 0) * 5 + 2
    assert pack_bits(weight).tolist() == [[1 << 17, 0]]
    assert c_string('a"?\\é') == '"a\\042\\077\\134\\303\\251"'


def test_bad_input_ends_in_one_sentence(classifier, detector, tmp_path):
    with pytest.raises(ValueError, match="'No' is no name for the C code"):
        export_c(classifier, tmp_path, name='No')
    with pytest.raises(FileNotFoundError, match='does not exist'):
        export_c(tmp_path / 'none.safetensors', tmp_path)
    with pytest.raises(ValueError, match='both must be multiples of 32'):
        export_c(detector, tmp_path, size=(64, 50))
    with pytest.raises(ValueError, match='the image becomes 40 x 32 pixels'):
        export_c(classifier, tmp_path, image=np.zeros((40, 32, 3), np.uint8))
    packed = load_packed(classifier)
    for change, message in ((dict(network=None, needs_config='its head is odd'), r'stand by itself \(its head is odd\)'),
                            (dict(network=dict(kind='yolo')), "the kind 'yolo'; C code is written of classifier and rtmdet"),
                            (dict(network=dict(kind='classifier', num_classes=9)), 'tells 10 classes apart and says 9'),
                            (dict(input_size=None), 'give height and width')):
        path = tmp_path / 'changed.safetensors'
        save_packed(path, PackedFile(packed.chains, packed.state, {**packed.info, **change}))
        with pytest.raises(ValueError, match=message):
            export_c(path, tmp_path)
    packed = load_packed(detector)
    parts = ('neck.top', 'neck.down', 'neck.bottom')
    kept = {name: chain for name, chain in packed.chains.items() if not name.startswith(parts)}
    kept.update({f'neck.outputs.{i}': packed.chains['neck.top_down.0'] for i in range(3)})
    packed.info['network']['neck'] = 'fpn'
    save_packed(path, PackedFile(kept, packed.state, packed.info))
    assert PackedDetector(path).classes
    with pytest.raises(ValueError, match="can't become C code: C code is written of RTMDet with towers on a BinaryPAFPN"):
        export_c(path, tmp_path)
    assert not list(tmp_path.glob('*.c'))


@needs_cc
def test_the_tool_reports_json(detector, tmp_path, run_tool):
    cv2.imwrite(str(tmp_path / 'i.png'), np.full((64, 64, 3), 90, np.uint8))
    result = run_tool('tools/deploy/export_c.py', detector, tmp_path / 'c', '--image', tmp_path / 'i.png', '--check', 'host')
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout.splitlines()[-1])
    assert report['checks']['host']['passed'] and report['macs']['binary'] > 0
    assert sorted(path.name for path in (tmp_path / 'c').iterdir()) == ['main.c', 'network.c', 'network.h']
    result = run_tool('tools/deploy/export_c.py', detector, tmp_path / 'c', '--shape', 33)
    assert result.returncode == 1 and 'multiples of 32' in result.stderr and 'Traceback' not in result.stderr


@needs_cc
def test_a_missing_compiler_is_named(classifier, tmp_path, monkeypatch):
    export_c(classifier, tmp_path)
    monkeypatch.setattr(shutil, 'which', lambda name: None)
    with pytest.raises(ValueError, match="qemu-system-arm and arm-none-eabi-size not found; Debian's gcc-arm-none-eabi"):
        check_program(tmp_path, 'network', 'cortex-m4')


def test_a_packed_classifier_stands_by_itself(tmp_path):
    pytest.importorskip('mmpretrain')
    from mmengine.config import Config
    from mmengine.registry import MODELS, init_default_scope

    from nasbnn_det.arch import SPACES, Arch
    from nasbnn_det.deploy.packing import pack_checkpoint
    cfg = Config.fromfile('configs/finetune/nasbnn-tiny_1xb64-12e_shapes-48.py')
    cfg.model.backbone.update(arch=Arch.smallest(SPACES['tiny']).to_dict(), init_cfg=None)
    cfg.model.head.init_cfg = None
    init_default_scope('mmpretrain')
    model = MODELS.build(cfg.model).eval()
    meta = dict(dataset_meta=dict(classes=list('abcde')))
    torch.save(dict(state_dict=model.state_dict(), meta=meta), tmp_path / 'c.pth')
    packed = pack_checkpoint(cfg, tmp_path / 'c.pth')
    assert packed.info['needs_config'] is None and packed.info['classes'] == list('abcde')
    assert packed.info['input_size'] is None
    cfg.test_dataloader.dataset.pipeline.insert(1, dict(type='CenterCrop', crop_size=48))
    packed = pack_checkpoint(cfg, tmp_path / 'c.pth')
    assert packed.info['input_size'] == [48, 48]
    save_packed(tmp_path / 'c.safetensors', packed)
    packed = load_packed(tmp_path / 'c.safetensors')
    images = torch.randn(2, 3, 48, 48)
    with torch.no_grad():
        want = model(images, mode='tensor')
    found = TorchClassifier.from_file(packed)(images)
    assert (found - want).abs().max() < 1e-4
    alone = PackedClassifier(tmp_path / 'c.safetensors')
    assert alone.classes == tuple('abcde')
    assert all(np.array_equal(alone.classify_prepared(image).logits, row) for image, row in zip(images, found.numpy()))
    with pytest.raises(ValueError, match='is of a classifier, a detector is wanted'):
        PackedDetector(tmp_path / 'c.safetensors')
