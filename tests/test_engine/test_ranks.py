"""Two processes over gloo do what one does."""
import copy
import os
import subprocess
import sys
import weakref
from pathlib import Path

import pytest
import torch

pytest.importorskip('mmpretrain')

from mmengine.optim import OptimWrapper  # noqa: E402
from two_processes import KeepsGradients, in_two_processes, one_thread  # noqa: E402, F401

from nasbnn_det.cli import end_processes  # noqa: E402
from nasbnn_det.engine import ranks  # noqa: E402
from nasbnn_det.engine.evaluation.loading import decoding_loader, draw_batches  # noqa: E402
from nasbnn_det.engine.ranks import from_main, map_over_ranks  # noqa: E402
from nasbnn_det.models.classifiers import SupernetClassifier  # noqa: E402
from nasbnn_det.models.distributed import SupernetDistributedDataParallel  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
SPACE = [[[4, 8], [1], [3], [1], [1], 2], [[8, 12, 16], [1, 2], [3, 5], [1, 2], [1], 2],
         [[16, 24], [1, 2], [3], [2, 4], [1], 2]]


def build_model(**kwargs):
    """A small supernet classifier; the same weights in every process."""
    torch.manual_seed(0)
    return SupernetClassifier(
        SPACE, 3, data_preprocessor=dict(type='mmpretrain.ClsDataPreprocessor', mean=[127.5] * 3, std=[127.5] * 3),
        **kwargs).train()


def make_batch(half=None):
    """Eight labelled images, or one half of them."""
    from mmpretrain.structures import DataSample
    generator = torch.Generator().manual_seed(1)
    images = [torch.randint(0, 256, (3, 16, 16), dtype=torch.uint8, generator=generator) for _ in range(8)]
    chosen = range(8) if half is None else range(4 * half, 4 * half + 4)
    return dict(inputs=[images[i] for i in chosen], data_samples=[DataSample().set_gt_label(i % 3) for i in chosen])


def step_gradients(model, data):
    """Gradients of one training step, by parameter; the wrapped model if there is one."""
    inner = getattr(model, 'module', model)
    optimizer = KeepsGradients(inner.parameters(), 0.1)
    model.train_step(copy.deepcopy(data), OptimWrapper(optimizer))
    return {name: grad for (name, _), grad in zip(inner.named_parameters(), optimizer.seen)}


def train_half(rank, kwargs):
    """A step of one process on its half of the batch: gradients, and weights afterwards."""
    model = build_model(**kwargs)
    with torch.no_grad():  # the wrapper has to make the processes equal
        model.supernet.fc.weight.add_(rank)
    model = SupernetDistributedDataParallel(model)
    return step_gradients(model, make_batch(rank)), model.module.state_dict()


def use_helpers(rank):
    """What a process sees of the helpers: shared work, a result of the main process, a failure, images."""
    seen = []

    def square(x):
        seen.append(x)
        return x * x

    def refuse():
        raise ValueError('refused')

    found = dict(squares=map_over_ranks(square, list(range(7))), seen=seen, word=from_main(lambda: f'from {rank}'))
    try:
        map_over_ranks(lambda x: 1 / (x - 1), [0, 1, 2])
    except (ZeroDivisionError, RuntimeError) as error:
        found['failure'] = f'{type(error).__name__}: {error}'
    try:
        from_main(refuse)
    except (ValueError, SystemExit) as error:
        found['refused'] = repr(error)
    from mmengine.dataset import DefaultSampler
    dataset = list(range(11))
    own = torch.utils.data.DataLoader(dataset, batch_size=4, sampler=DefaultSampler(dataset, shuffle=False))
    drawn = [i for batch in draw_batches(11, 4, 2, seed=3) for i in batch]
    for name, loader in (('own', own), ('whole', decoding_loader(own, range(11))),
                         ('shuffled', decoding_loader(own, drawn))):
        found[name] = [int(i) for batch in loader for i in batch]
    return found


def leave(rank):
    """Whether each group of processes is gone, with its threads, after the end of the processes."""
    groups = [weakref.ref(group) for group in (torch.distributed.group.WORLD, ranks._patient_group())]
    end_processes()
    return [group() is None for group in groups]


def everything(rank):
    """All that the tests below compare; the two processes take longer to start than to do it."""
    return dict(plain=train_half(rank, {}), sync_bn=train_half(rank, dict(sync_bn=True)), helpers=use_helpers(rank),
                gone=leave(rank))


@pytest.fixture(scope='module')
def seen(tmp_path_factory):
    """What each of the two processes saw."""
    return in_two_processes(everything, tmp_path_factory.mktemp('ranks'))


def test_a_distributed_step_averages_the_gradients_of_the_halves(seen, one_thread):  # noqa: F811
    (first, weights), (second, others) = (each['plain'] for each in seen)
    alone = [step_gradients(build_model(), make_batch(half)) for half in range(2)]
    compared = 0
    for name, gradient in first.items():
        if gradient is None:
            assert second[name] is None and alone[0][name] is None and alone[1][name] is None
            continue
        expected = (alone[0][name] + alone[1][name]) / 2
        scale = expected.abs().max().clamp(min=1e-12)
        assert (gradient - expected).abs().max() <= 1e-5 * scale, name
        assert torch.equal(gradient, second[name]), name
        compared += bool(expected.any())
    assert compared > 20
    trained = [name for name, _ in build_model().named_parameters()]
    assert all(torch.equal(weights[name], others[name]) for name in trained)


def test_synchronised_batch_norm_is_that_of_the_whole_batch(seen, one_thread):  # noqa: F811
    gradients, weights = seen[0]['sync_bn']
    model = build_model()
    expected = step_gradients(model, make_batch())
    state = model.state_dict()
    for name in ('supernet.stem.bn.running_mean', 'supernet.stages.1.0.conv2.bn.running_var'):
        torch.testing.assert_close(weights[name], state[name], rtol=1e-4, atol=1e-5)
    for name, gradient in gradients.items():
        if gradient is not None:
            scale = expected[name].abs().max().clamp(min=1e-6)
            assert (gradient - expected[name]).abs().max() <= 1e-3 * scale, name


def test_helpers_share_work_and_failures_and_show_every_process_every_image(seen):
    first, second = (each['helpers'] for each in seen)
    assert first['squares'] == second['squares'] == [x * x for x in range(7)]
    assert first['seen'] == [0, 2, 4, 6] and second['seen'] == [1, 3, 5]
    assert first['word'] == second['word'] == 'from 0'
    assert 'another process failed: process 1' in first['failure']
    assert second['failure'].startswith('ZeroDivisionError')
    assert (first['refused'], second['refused']) == ("ValueError('refused')", 'SystemExit(1)')
    assert first['own'] != second['own'], 'the stock sampler is expected to split'
    assert first['whole'] == second['whole'] == list(range(11))
    # Two full batches of four; a smaller last one would weigh too much in a recalibration.
    assert first['shuffled'] == second['shuffled'] and first['shuffled'] != first['whole'][:8]
    assert len(set(first['shuffled'])) == 8 and set(first['shuffled']) < set(first['whole'])


def test_no_group_outlives_the_end_of_the_processes(seen):
    assert all(each['gone'] == [True, True] for each in seen)


def search_options(root, supernet):
    """The shipped search config on a few images."""
    return [
        'configs/search/nasbnn-search-tiny_shapes-48.py', '--cfg-options', f'train_cfg.supernet={supernet}',
        f'train_dataloader.dataset.data_root={root}', f'val_dataloader.dataset.data_root={root}',
        'train_cfg.evolution.num_random=5', 'train_cfg.evolution.num_mutants=3', 'train_cfg.evolution.num_crossovers=2',
        'train_cfg.evolution.generations=2', 'train_cfg.recalibration_batches=2', 'train_dataloader.batch_size=4',
        'train_dataloader.num_workers=0', 'train_dataloader.persistent_workers=False'
    ]


def test_two_processes_find_the_same_front_to_the_byte(tmp_path, tiny_shapes, run_tool, one_thread):  # noqa: F811
    from nasbnn_det.supernet import Supernet, save_supernet
    torch.manual_seed(0)
    save_supernet(tmp_path / 'supernet.pth', Supernet('tiny', 5))
    options = search_options(tiny_shapes, tmp_path / 'supernet.pth')
    alone = run_tool('tools/train.py', *options, '--work-dir', tmp_path / '1')
    both = subprocess.run(
        [sys.executable, '-m', 'torch.distributed.run', '--standalone', '--nproc_per_node=2', 'tools/train.py', *options,
         '--work-dir', tmp_path / '2', '--launcher', 'pytorch'],
        cwd=ROOT, capture_output=True, text=True, env={**os.environ, 'OMP_NUM_THREADS': '1'})
    for done in (alone, both):
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        assert 'a second' in done.stdout + done.stderr and 'min left, best' in done.stdout + done.stderr
    for name in ('front.json', 'history.jsonl', 'search_state.json'):
        one, two = ((tmp_path / str(n) / name).read_bytes() for n in (1, 2))
        assert one == two, name
    scalars = list((tmp_path / '2').glob('*/vis_data/scalars.json'))
    assert scalars and '"search/best"' in scalars[0].read_text()
