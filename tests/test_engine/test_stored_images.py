"""Decoded images: once each, the right ones, whole or not at all."""
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

pytest.importorskip('mmpretrain')
cv2 = pytest.importorskip('cv2')

from mmengine.config import Config  # noqa: E402
from mmengine.dataset import pseudo_collate  # noqa: E402
from mmengine.evaluator import Evaluator  # noqa: E402
from mmpretrain.datasets import CustomDataset  # noqa: E402
from mmpretrain.evaluation import Accuracy  # noqa: E402
from mmpretrain.models import ClsDataPreprocessor  # noqa: E402
from torch.utils.data import DataLoader, RandomSampler  # noqa: E402

from nasbnn_det.arch import SPACES, Arch  # noqa: E402
from nasbnn_det.engine.evaluation.loading import draw_batches  # noqa: E402
from nasbnn_det.engine.evaluation.stored_images import ImageCache, store_images  # noqa: E402
from nasbnn_det.engine.evaluation.subnet_evaluator import SubnetEvaluator  # noqa: E402
from nasbnn_det.engine.loops import SupernetValLoop  # noqa: E402
from nasbnn_det.models.classifiers import SupernetClassifier  # noqa: E402
from nasbnn_det.supernet import PackedInferenceSubnet, Subnet, recalibrate_bn  # noqa: E402

COUNT, SIZE = 10, 24
ROOT = Path(__file__).resolve().parents[2]


class CountingDataset(CustomDataset):
    """Writes down which images are decoded, in a file so that workers can."""

    def prepare_data(self, idx):
        with open(Path(self.data_root).parent / 'decoded', 'a') as file:
            file.write(f'{idx}\n')
        return super().prepare_data(idx)


@pytest.fixture
def loader(tmp_path):
    """Ten images of two classes."""
    rng = np.random.default_rng(0)
    for i in range(COUNT):
        path = tmp_path / 'data' / 'ab'[i % 2] / f'{i}.png'
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), rng.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8))
    return make_loader(tmp_path)


def make_loader(folder, batch_size=4, workers=0):
    """A loader of the images in a folder."""
    pipeline = [dict(type='LoadImageFromFile'), dict(type='mmpretrain.PackInputs')]
    return DataLoader(CountingDataset(data_root=str(folder / 'data'), pipeline=pipeline), batch_size,
                      num_workers=workers, collate_fn=pseudo_collate)


def decoded(folder):
    """How many images have been decoded."""
    path = folder / 'decoded'
    return len(path.read_text().split()) if path.exists() else 0


def evaluator(loader, cache, **kwargs):
    """A subnet's evaluator on these images."""
    return SubnetEvaluator(ClsDataPreprocessor(num_classes=2, mean=[127.5] * 3, std=[127.5] * 3, to_rgb=True), loader, 3,
                           loader, Evaluator(Accuracy(topk=(1, ))), cache=cache, **kwargs)


def subnet():
    """A small network of two classes."""
    torch.manual_seed(0)
    return Subnet(Arch.smallest(SPACES['tiny']), 2)


@pytest.mark.parametrize('memory', [1e9, 0])
def test_every_image_is_decoded_once_whatever_the_limit(loader, tmp_path, memory):
    evaluate = evaluator(loader, ImageCache(tmp_path / 'images', memory))
    assert len(set(sum(draw_batches(COUNT, 4, 3, 0), []))) < 12, 'three batches of four need a second pass'
    assert decoded(tmp_path) == 12 + COUNT
    metrics = [evaluate(subnet()) for _ in range(2)]
    assert metrics[0] == metrics[1] and decoded(tmp_path) == 12 + COUNT
    files = sorted(path.name.split('-')[0] for path in tmp_path.glob('images/*') if path.is_dir())
    assert files == ([] if memory else ['recalibration', 'validation'])
    # Another run finds them.
    again = evaluator(loader, ImageCache(tmp_path / 'images', memory))
    assert decoded(tmp_path) == (12 + COUNT) * (2 if memory else 1) and again(subnet()) == metrics[0]


@pytest.mark.parametrize('memory, workers', [(1e9, 0), (0, 2)])
def test_a_score_is_that_of_the_images_as_a_loader_gives_them(loader, tmp_path, memory, workers):
    loader = make_loader(tmp_path, workers=workers)
    evaluate = evaluator(loader, ImageCache(tmp_path / 'images', memory))
    preprocess, dataset = evaluate.preprocess, loader.dataset

    def preprocessed(indices):
        return preprocess(pseudo_collate([dataset[i] for i in indices]), False)

    # The order of a shuffled loader, pass after pass, without its last small batch.
    generator = torch.Generator().manual_seed(0)
    numbers = DataLoader(range(COUNT), 4, sampler=RandomSampler(range(COUNT), generator=generator), drop_last=True,
                         collate_fn=list, generator=generator)
    drawn = [batch for _ in range(2) for batch in numbers][:3]
    batches = [preprocessed(indices)['inputs'] for indices in drawn]
    assert all(map(torch.equal, evaluate.recalibration_batches(), batches))
    network = subnet().eval()
    recalibrate_bn(network, batches)
    correct = 0
    for start in range(0, COUNT, 4):
        data = preprocessed(range(start, min(start + 4, COUNT)))
        labels = torch.cat([sample.gt_label for sample in data['data_samples']])
        correct += int((network(data['inputs']).argmax(1) == labels).sum())
    assert evaluate(subnet())['accuracy/top1'] == 100 * correct / COUNT


def test_the_size_of_validation_batches_changes_no_score(loader, tmp_path):
    scores = []
    for size in (1, 3, 100):
        evaluate = evaluator(loader, ImageCache())
        evaluate.batch_size = size
        assert sum(len(images) for images, _ in evaluate.validation_batches()) == COUNT
        scores.append(evaluate(subnet()))
    assert scores[0] == scores[1] == scores[2]


def test_other_images_are_not_taken_for_these(loader, tmp_path):
    cache = ImageCache(tmp_path / 'images', 0)

    def first(identity=None, indices=range(COUNT)):
        before = decoded(tmp_path)
        stored = store_images('validation', make_loader(tmp_path), indices, cache, identity)
        return stored.read(0, 1), decoded(tmp_path) - before

    image, new = first()
    assert new == COUNT and first()[1] == 0
    assert first('another pipeline')[1] == COUNT and first(indices=[3, 1])[1] == 2
    path = tmp_path / 'data' / 'a' / '0.png'
    cv2.imwrite(str(path), np.zeros((SIZE, SIZE, 3), np.uint8))
    os.utime(path, ns=(1, 1))
    changed, new = first()
    assert new == COUNT and image.any() and not changed.any()


def test_labels_and_last_batch_come_with_a_file(loader, tmp_path):
    for memory in (1e9, 0):
        stored = store_images('validation', loader, range(COUNT), ImageCache(tmp_path / 'images', memory))
        assert stored.labels == [[0]] * 5 + [[1]] * 5 and len(stored) == COUNT
        assert stored.read(8, 12).shape == (2, 3, SIZE, SIZE) and stored.read(8, 12).dtype == torch.uint8
        assert stored.nbytes == COUNT * 3 * SIZE * SIZE


WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
import test_stored_images as t
loader = t.make_loader(Path(sys.argv[1]), batch_size=1)
plain = loader.dataset.prepare_data
def slow(idx):
    if idx == 6:
        print('half', flush=True)
        sys.stdin.read()
    return plain(idx)
loader.dataset.prepare_data = slow
t.store_images('validation', loader, range(t.COUNT), t.ImageCache(Path(sys.argv[1]) / 'images', 0))
"""


def test_a_file_that_was_killed_half_way_is_never_taken(loader, tmp_path):
    writer = subprocess.Popen([sys.executable, '-c', WRITER.format(tests=str(Path(__file__).parent)), str(tmp_path)],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    # Some packages greet on stdout when they are imported.
    assert 'half\n' in iter(writer.stdout.readline, '')
    partial, = (tmp_path / 'images').glob('*.partial')
    assert (partial / 'images').exists()
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    before = decoded(tmp_path)
    stored = store_images('validation', loader, range(COUNT), ImageCache(tmp_path / 'images', 0))
    assert decoded(tmp_path) - before == COUNT and not list((tmp_path / 'images').glob('*.partial'))
    assert torch.equal(stored.read(9, 10)[0], loader.dataset[9]['inputs'])


def test_what_is_wrong_with_images_is_said(loader, tmp_path):
    cv2.imwrite(str(tmp_path / 'data' / 'b' / '9.png'), np.zeros((SIZE, SIZE + 1, 3), np.uint8))
    with pytest.raises(ValueError, match=r'different sizes, \(3, 24, 24\) and \(3, 24, 25\); .* resize or crop'):
        store_images('validation', loader, range(COUNT), ImageCache())
    unlabelled = DataLoader(CustomDataset(data_root=str(tmp_path / 'data' / 'a'), with_label=False, pipeline=[
        dict(type='LoadImageFromFile'), dict(type='mmpretrain.PackInputs')]), 4, collate_fn=pseudo_collate)
    with pytest.raises(ValueError, match='validation image 0 has no label'):
        evaluator(unlabelled, ImageCache())
    with pytest.raises(ValueError, match='recalibration_batches is 0'):
        SubnetEvaluator(None, loader, 0, loader, None)
    with pytest.raises(ValueError, match='bytes must be 0 or more'):
        ImageCache(memory=-1)


def test_a_supernet_is_validated_again_without_decoding(loader, tmp_path):
    torch.manual_seed(0)
    model = SupernetClassifier('tiny', 2, data_preprocessor=dict(
        type='mmpretrain.ClsDataPreprocessor', mean=[127.5] * 3, std=[127.5] * 3))
    hooks = []
    runner = SimpleNamespace(model=model, work_dir=str(tmp_path), cfg=Config(dict()), train_dataloader=loader,
                             call_hook=lambda name, **kwargs: hooks.append(name))
    loop = SupernetValLoop(runner, loader, Evaluator(Accuracy(topk=(1, ))), recalibration_batches=3)
    first = loop.run()
    assert set(first) == {'smallest/accuracy/top1', 'biggest/accuracy/top1'} and decoded(tmp_path) == 12 + COUNT
    assert loop.run() == first and decoded(tmp_path) == 12 + COUNT and len(hooks) == 8


def test_packed_evaluation_reads_the_same_images(loader, tmp_path):
    plain, packed = (evaluator(loader, ImageCache(), **kwargs) for kwargs in ({}, dict(prepare=PackedInferenceSubnet)))
    assert plain(subnet()) == packed(subnet())
