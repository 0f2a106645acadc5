"""Packed classifiers and backbones by the library alone, against PyTorch on the same chains."""
import ctypes
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from shaken_network import shake

from nasbnn_det.arch import SPACES, Arch
from nasbnn_det.runtime import (
    PackedBackbone,
    PackedChain,
    PackedClassifier,
    PackedDetector,
    PackedFile,
    load_packed,
    save_packed,
)
from nasbnn_det.runtime.file import packed_bytes
from nasbnn_det.runtime.native_network import CGeometry, check, library
from nasbnn_det.runtime.packer import pack_layers
from nasbnn_det.runtime.torch_classifier import TorchClassifier
from nasbnn_det.supernet import Subnet, recalibrate_bn

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / 'tests' / 'csrc'))
import small_network  # noqa: E402

CLASSES = [f'class {i}' for i in range(7)]
PREPROCESSING = dict(mean=[120., 110, 100], std=[60., 50, 70], to_rgb=True)


def write(path, **changes):
    """The smallest network of the space 'tiny' as a classifier; three of its stages' maps are outputs."""
    torch.manual_seed(0)
    subnet = shake(Subnet(Arch.smallest(SPACES['tiny']), len(CLASSES)))
    recalibrate_bn(subnet, [torch.randn(8, 3, 48, 48)])
    layers = pack_layers([subnet.stem, *subnet.stages])
    chain = PackedChain(layers, [len(layers) - 5, len(layers) - 3, len(layers) - 1])
    state = {'head.fc.weight': subnet.fc.weight.detach(), 'head.fc.bias': subnet.fc.bias.detach()}
    info = dict(network=dict(kind='classifier', num_classes=len(CLASSES)), classes=CLASSES, preprocessing=PREPROCESSING)
    save_packed(path, PackedFile(dict(backbone=chain), state, {**info, **changes}))
    return path


@pytest.fixture(scope='module')
def file(tmp_path_factory):
    return write(tmp_path_factory.mktemp('classifier') / 'c.safetensors')


@pytest.mark.parametrize('threads', [1, 3])
def test_logits_are_pytorchs_in_every_bit(file, kernels, threads):
    classifier, module = PackedClassifier(file, threads), TorchClassifier.from_file(load_packed(file))
    assert classifier.classes == tuple(CLASSES) and classifier.num_classes == len(CLASSES)
    for height, width in ((48, 48), (33, 70), (128, 40)):
        image = torch.randn(1, 3, height, width, generator=torch.Generator().manual_seed(height))
        found, want = classifier.classify_prepared(image[0]), module(image)[0]
        assert np.array_equal(found.logits, want.numpy())
        assert np.allclose(found.probabilities, want.softmax(0).numpy(), rtol=1e-5, atol=1e-7)
        assert found.label == int(want.argmax())


@pytest.mark.parametrize('threads', [1, 3])
def test_maps_of_a_backbone_are_pytorchs_in_every_bit(file, kernels, threads):
    backbone, chain = PackedBackbone(file, threads), load_packed(file).chains['backbone']
    for height, width in ((48, 48), (33, 70)):
        image = torch.randn(1, 3, height, width, generator=torch.Generator().manual_seed(height))
        found, want = backbone(image[0]), chain(image)
        assert len(found) == len(want) == 3
        for got, expected in zip(found, want):
            assert np.array_equal(got, expected[0].permute(1, 2, 0).numpy())


def test_an_image_is_prepared_and_classified(file):
    classifier = PackedClassifier(file)
    images = [np.random.default_rng(i).integers(0, 256, (48, 56, 3), dtype=np.uint8) for i in range(3)]
    found = classifier(images)
    for image, got in zip(images, found):
        assert np.array_equal(classifier.classify_prepared(classifier.prepare(image).planes).logits, got.logits)
        rgb = torch.from_numpy(image[..., ::-1].copy()).permute(2, 0, 1).float()
        mean, std = (torch.tensor(PREPROCESSING[key]).view(3, 1, 1) for key in ('mean', 'std'))
        want = TorchClassifier.from_file(load_packed(file))(((rgb - mean) / std)[None])[0]
        assert np.array_equal(got.logits, want.numpy())
        assert got.probabilities.sum() == pytest.approx(1, abs=1e-6)
    assert len({tuple(got.logits) for got in found}) == 3
    again = pickle.loads(pickle.dumps(classifier))
    assert np.array_equal(again(images[0]).logits, found[0].logits)


def test_a_classifier_need_not_name_its_classes(tmp_path):
    classifier = PackedClassifier(write(tmp_path / 'c.safetensors', classes=[]))
    assert classifier.classes == () and classifier.num_classes == len(CLASSES)


def test_a_backbone_alone_is_a_file(file, tmp_path):
    chain = load_packed(file).chains['backbone']
    save_packed(tmp_path / 'b.safetensors', PackedFile(dict(backbone=chain)))
    backbone, image = PackedBackbone(tmp_path / 'b.safetensors'), np.random.default_rng(0).normal(size=(3, 40, 40))
    found, want = backbone(image.astype(np.float32)), PackedBackbone(file)(image.astype(np.float32))
    assert all(np.array_equal(got, expected) for got, expected in zip(found, want))
    with pytest.raises(ValueError, match='does not say how images are prepared'):
        backbone.prepare(np.zeros((40, 40, 3), np.uint8))
    assert PackedBackbone(file).prepare(np.zeros((40, 40, 3), np.uint8)).planes.shape == (3, 40, 40)
    for kind in (PackedClassifier, PackedDetector):
        with pytest.raises(ValueError, match='does not stand by itself'):
            kind(tmp_path / 'b.safetensors')


@pytest.mark.parametrize('kind', list(small_network.KINDS))
def test_every_kind_of_file_has_a_backbone(kind, tmp_path):
    small_network.write(tmp_path / 'n.safetensors', kind=kind)
    sizes = [level.shape for level in PackedBackbone(tmp_path / 'n.safetensors')(np.zeros((3, 64, 48), np.float32))]
    assert sizes == [(16, 12, 10), (8, 6, 40)]


def test_a_file_of_another_kind_is_named(file, tmp_path):
    small_network.write(tmp_path / 'd.safetensors')
    with pytest.raises(ValueError, match=r"packed file '.*c.safetensors' is of a classifier, a detector is wanted; "
                                         r'nasbnn_det.runtime.PackedClassifier runs it'):
        PackedDetector(file)
    with pytest.raises(ValueError, match='in memory is of a detector, a classifier is wanted'):
        PackedClassifier((tmp_path / 'd.safetensors').read_bytes())


@pytest.mark.parametrize('change, message', [
    (lambda packed: packed.state.pop('head.fc.bias'), 'has the tensors head.fc.weight and head.fc.bias'),
    (lambda packed: packed.state.update({'head.fc.weight': torch.zeros(7)}), 'of two dimensions and of one'),
    (lambda packed: packed.state.update({'head.fc.weight': torch.zeros(7, 5)}), 'chain head.fc must take'),
    (lambda packed: packed.state.update({'head.fc.weight': torch.zeros(0, 5), 'head.fc.bias': torch.zeros(0)}),
     'allowed are 1 to 16384'),
    (lambda packed: packed.info['network'].update(num_classes=6), 'it tells 7 classes apart and its network is'),
    (lambda packed: packed.info['network'].update(depth=6), 'it tells 7 classes apart and its network is'),
    (lambda packed: packed.info.update(classes=['a']), 'needs the names of 7 classes'),
    (lambda packed: packed.info.update(preprocessing=None), 'preprocessing is described by'),
    (lambda packed: packed.chains.update(neck=packed.chains['backbone']), 'it has no place for chain neck'),
    (lambda packed: packed.chains.update(head=packed.chains.pop('backbone')), 'it needs a chain backbone'),
])
def test_files_that_describe_no_classifier_are_refused(file, change, message):
    packed = load_packed(file)
    change(packed)
    with pytest.raises(ValueError, match=f'describes no classifier: .*{message}'):
        PackedClassifier(packed_bytes(packed))


def test_a_call_for_another_kind_is_refused_in_a_sentence(file, tmp_path):
    small_network.write(tmp_path / 'd.safetensors')
    networks = [PackedClassifier(file), PackedBackbone(file), PackedDetector(tmp_path / 'd.safetensors')]
    classifier, backbone, detector = (network._native._handle for network in networks)
    planes, out = np.zeros((3, 32, 32), np.float32), np.zeros(1000, np.float32)
    lib, geometry = library(), CGeometry(32, 32, 32, 32, 1, 1)
    for handle in (classifier, backbone):
        count = lib.nasbnn_det_detect_prepared(handle, planes.ctypes.data, ctypes.byref(geometry), 0, out.ctypes.data, 1)
        with pytest.raises(ValueError, match='this network is no detector and gives no boxes'):
            check(-count)
    for handle in (backbone, detector):
        with pytest.raises(ValueError, match='this network is no classifier and gives no logits'):
            check(lib.nasbnn_det_classify_prepared(handle, planes.ctypes.data, 32, 32, out.ctypes.data, None))
    for handle in (classifier, detector):
        with pytest.raises(ValueError, match='this network is no backbone and gives no maps'):
            check(lib.nasbnn_det_maps(handle, planes.ctypes.data, 32, 32, None))
        assert lib.nasbnn_det_num_maps(handle) == 0
    with pytest.raises(ValueError, match='a prepared input needs 1 to .* pixels; this one is 0 x 32'):
        check(lib.nasbnn_det_maps(backbone, planes.ctypes.data, 32, 0, None))


def test_prepared_images_of_another_form_are_named(file):
    for network in (PackedClassifier(file).classify_prepared, PackedBackbone(file)):
        with pytest.raises(ValueError, match=r'array \(3, H, W\) of float32'):
            network(np.zeros((3, 48), np.float32))


_ALONE = '''
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] in ('torch', 'safetensors', 'mmengine', 'mmpretrain', 'cv2', 'PIL'):
            raise ImportError(f'{name} was imported')

sys.meta_path.insert(0, Refuse())
import numpy as np
from nasbnn_det.apis import PackedBackbone, PackedClassifier
image = np.random.default_rng(0).integers(0, 256, (48, 48, 3), dtype=np.uint8)
classifier, backbone = PackedClassifier(sys.argv[1]), PackedBackbone(sys.argv[1])
print(*classifier(image).logits, *(float(level.sum()) for level in backbone(classifier.prepare(image).planes)))
'''


def test_they_run_without_pytorch(file):
    done = subprocess.run([sys.executable, '-c', _ALONE, file], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    image = np.random.default_rng(0).integers(0, 256, (48, 48, 3), dtype=np.uint8)
    want = PackedClassifier(file)(image).logits
    assert np.array_equal(np.float32(done.stdout.split()[:len(CLASSES)]), want)
