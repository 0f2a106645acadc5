"""The search through MMEngine's Runner: what it trains, writes and saves, and that a broken one ends the same."""
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

pytest.importorskip('mmpretrain')

from mmengine.config import Config  # noqa: E402
from mmengine.runner import Runner  # noqa: E402

from nasbnn_det.nasb import CellNet, CellRules, ResNetShape, StemShape, count_net_ops, load_cells  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
CONFIG = 'configs/nasb/nasb-search-r18-tiny_1xb32-4e_shapes-48.py'


def options(data, **more):
    """A search of seconds: few small images, few candidates, a narrow network, random weights."""
    return {
        'train_dataloader.dataset.data_root': str(data), 'val_dataloader.dataset.data_root': str(data),
        'train_dataloader.batch_size': 2, 'train_dataloader.num_workers': 0,
        'train_dataloader.persistent_workers': False, 'model.backbone.base_channels': 4,
        'model.backbone.init_cfg': None, 'model.head.init_cfg': None, 'train_cfg.max_epochs': 3,
        'train_cfg.val_interval': 3, 'model.backbone.space.num_nodes': 2, 'default_hooks.checkpoint.max_keep_ckpts': 9,
        **more
    }


def config(data, work_dir, **more):
    cfg = Config.fromfile(ROOT / CONFIG)
    cfg.merge_from_dict(options(data, **more))
    cfg.work_dir = str(work_dir)
    cfg.experiment_name = Path(work_dir).name
    return cfg


def search(cfg):
    runner = Runner.from_cfg(cfg)
    runner.train()
    return runner


def edges(runner):
    return torch.stack([cell.alphas.detach() for cell in runner.model.backbone.cells.values()])


@pytest.fixture(scope='module')
def finished(tiny_shapes, tmp_path_factory):
    """A complete search and its folder."""
    folder = tmp_path_factory.mktemp('nasb') / 'alone'
    return search(config(tiny_shapes, folder)), folder


def test_both_kinds_of_weights_are_trained_and_everything_is_written(finished):
    runner, folder = finished
    assert edges(runner).abs().min() > 0
    wrappers = runner.optim_wrapper
    count = {name: sum(p.numel() for group in w.optimizer.param_groups for p in group['params'])
             for name, w in wrappers.items()}
    assert count['alphas'] == edges(runner).numel()
    assert sum(count.values()) == sum(p.numel() for p in runner.model.parameters())
    saved = torch.load(folder / 'epoch_3.pth', weights_only=False)
    assert set(saved['optimizer']) == {'weights', 'alphas'} and saved['optimizer']['alphas']['state']
    rows = [json.loads(line) for line in (folder / 'alphas.jsonl').read_text().splitlines()]
    assert [row['epoch'] for row in rows] == [0, 1, 2]
    assert rows[0]['temperature'] == pytest.approx(1.0) and rows[2]['temperature'] == pytest.approx(0.1)
    assert {'cells.png', 'alphas.png'} <= {p.name for p in folder.iterdir()}


def test_found_cells_keep_the_bound(finished):
    runner, folder = finished
    net = load_cells(str(folder / 'cells.json'), 18)
    shape = ResNetShape(18, 4, StemShape(3, 2, True))
    ops, plain = (count_net_ops(n, shape, (48, 48)).total.ops for n in (net, CellNet.plain(18)))
    assert ops <= (1 + runner.train_loop.max_overhead) * plain
    assert runner.model.backbone.rules == CellRules()


def test_resumed_search_ends_with_the_same_cells(finished, tiny_shapes, tmp_path):
    runner, folder = finished
    broken = tmp_path / 'broken'
    broken.mkdir()
    # What a search leaves that was killed in its third epoch: two checkpoints, a history that may be ahead of them.
    for name in ('epoch_1.pth', 'epoch_2.pth', 'alphas.jsonl'):
        (broken / name).write_bytes((folder / name).read_bytes())
    (broken / 'last_checkpoint').write_text(str(broken / 'epoch_2.pth'))
    cfg = config(tiny_shapes, broken)
    cfg.resume = True
    resumed = search(cfg)
    assert torch.equal(edges(resumed), edges(runner))
    for name in ('cells.json', 'alphas.jsonl'):
        assert (broken / name).read_text() == (folder / name).read_text()


def test_penalties_steer(finished, tiny_shapes, tmp_path):
    loop = finished[0].train_loop
    loop.ops_penalty, loop.entropy_penalty = 1.0, 0.0
    with torch.no_grad():
        for cell in loop.cells.values():
            cell.alphas.zero_()
            cell.alphas[:, list(cell.space.operations).index('bin_conv_5x5')] = 1e3
        many = float(loop.penalty())
        for cell in loop.cells.values():
            cell.alphas.zero_()
        loop.ops_penalty, loop.entropy_penalty = 0.0, 1.0
        even = float(loop.penalty())
    overhead = sum(cost.max() for cost in loop.costs) / loop.plain_ops  # the dearest candidate everywhere
    assert many == pytest.approx(overhead - loop.max_overhead, rel=1e-4)
    assert even == pytest.approx(torch.tensor(7.0).log().item(), rel=1e-4)


@pytest.mark.parametrize('more, words', [
    ({'train_cfg.order': 3}, 'order is 3; allowed are 1 and 2'),
    ({'train_cfg.warmup_epochs': 3}, 'warmup_epochs is 3; allowed are 0 to 2'),
    ({'train_cfg.alpha_fraction': 1.0}, 'alpha_fraction is 1.0; it must lie between 0 and 1'),
    ({'train_cfg.temperature.end': 0.0}, 'both must be positive'),
    ({'train_cfg.temperature.stop': 1}, 'train_cfg.temperature has no stop'),
    ({'train_cfg.max_overhead': -0.1}, 'no choice of edges adds at most'),
    ({'train_dataloader.batch_size': 6}, '5 images for the weights make no batch of 6'),
    ({'model.backbone.type': 'nasbnn_det.NASBResNet', 'model.backbone.space': None}, 'has no mixed cells'),
])
def test_wrong_settings_are_refused(more, words, tiny_shapes, tmp_path):
    cfg = config(tiny_shapes, tmp_path, **more)
    if cfg.model.backbone.space is None:
        cfg.model.backbone.pop('space')
    with pytest.raises(ValueError, match=words):
        search(cfg)


def test_one_optimiser_is_refused(tiny_shapes, tmp_path):
    cfg = config(tiny_shapes, tmp_path)
    cfg.optim_wrapper = dict(optimizer=dict(type='Adam', lr=1e-3))
    with pytest.raises(ValueError, match='a NASB search needs two optimisers'):
        search(cfg)
    cfg = config(tiny_shapes, tmp_path, **{'optim_wrapper.more': 1})
    with pytest.raises(ValueError, match='optim_wrapper has alphas, more, weights'):
        search(cfg)
    cfg = config(tiny_shapes, tmp_path, **{'optim_wrapper.alphas.type': 'AmpOptimWrapper'})
    with pytest.raises(ValueError, match='optim_wrapper.alphas.type is AmpOptimWrapper; .* only OptimWrapper is allowed'):
        search(cfg)
    cfg = config(tiny_shapes, tmp_path, **{'optim_wrapper.weights.accumulative_counts': 2})
    with pytest.raises(ValueError, match='optim_wrapper.weights.accumulative_counts is 2; .* only 1 is allowed'):
        search(cfg)


def test_second_order_search_runs(tiny_shapes, tmp_path):
    runner = search(config(tiny_shapes, tmp_path, **{'train_cfg.order': 2, 'train_cfg.max_epochs': 1}))
    assert edges(runner).abs().amax((1, 2)).min() > 0 and edges(runner).isfinite().all()


@pytest.mark.slow
def test_killed_search_ends_with_the_same_cells(finished, tiny_shapes, tmp_path):
    killed, pairs = tmp_path / 'killed', [f'{k}={v}' for k, v in options(tiny_shapes).items()]
    command = [sys.executable, 'tools/train.py', CONFIG, '--work-dir', str(killed), '--resume', '--cfg-options', *pairs]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.time() + 120
    while not (killed / 'epoch_1.pth').exists() and process.poll() is None and time.time() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (killed / 'epoch_3.pth').exists(), 'the kill came after the end'
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    for name in ('cells.json', 'alphas.jsonl'):
        assert (killed / name).read_bytes() == (finished[1] / name).read_bytes()


@pytest.mark.slow
def test_two_processes_search_together(tiny_shapes, tmp_path):
    pairs = [f'{k}={v}' for k, v in options(tiny_shapes, **{'train_dataloader.batch_size': 1}).items()]
    command = [sys.executable, '-m', 'torch.distributed.run', '--standalone', '--nproc_per_node=2', 'tools/train.py',
               CONFIG, '--launcher', 'pytorch', '--work-dir', str(tmp_path), '--cfg-options', *pairs,
               'env_cfg.dist_cfg.backend=gloo']
    done = subprocess.run(command, cwd=ROOT, text=True, capture_output=True,
                          env=dict(os.environ, OMP_NUM_THREADS='1'))
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[:9000]
    rows = [json.loads(line) for line in (tmp_path / 'alphas.jsonl').read_text().splitlines()]
    assert [row['epoch'] for row in rows] == [0, 1, 2]
    assert len(load_cells(str(tmp_path / 'cells.json'), 18).cells) == 16
