"""A training whose process is killed and started again ends with the very weights of one that was left alone."""
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

pytest.importorskip('mmdet')

ROOT = Path(__file__).resolve().parents[2]
SUPERNET = 'configs/supernet/nasbnn-supernet-tiny_1xb32-3e_shapes-48.py'
DETECTOR = 'configs/detection/rtmdet/rtmdet_nasbnn-tiny_1xb16-8e_shapes-128.py'
EPOCHS = 6


def command(config, flip, data, work_dir):
    """Trains on a few images, without random flips, whose numbers a new process would draw anew."""
    options = [
        f'train_dataloader.dataset.data_root={data}', f'val_dataloader.dataset.data_root={data}',
        f'val_evaluator.ann_file={data}/annotations/instances_val.json' if config == DETECTOR else 'work_dir=none',
        f'train_dataloader.dataset.pipeline.{flip}.prob=0.0', 'train_dataloader.batch_size=2',
        'train_dataloader.num_workers=0', 'train_dataloader.persistent_workers=False', f'train_cfg.max_epochs={EPOCHS}',
        'train_cfg.val_begin=99', 'default_hooks.checkpoint.interval=1', 'default_hooks.checkpoint.max_keep_ckpts=9',
        'randomness.seed=0'
    ]
    return [sys.executable, 'tools/train.py', config, '--work-dir', str(work_dir), '--resume', '--cfg-options', *options]


def last_state(work_dir):
    """Weights and the optimiser's numbers after the last epoch."""
    saved = torch.load(work_dir / f'epoch_{EPOCHS}.pth', weights_only=False)
    optimizer = saved['optimizer']['state']
    return {**saved['state_dict'], **{f'{i}.{key}': value for i, row in optimizer.items() for key, value in row.items()}}


@pytest.mark.slow
@pytest.mark.parametrize('config, flip', [(SUPERNET, 1), (DETECTOR, 3)], ids=['supernet', 'detector'])
def test_killed_training_ends_with_the_same_weights(config, flip, tiny_shapes, tmp_path):
    alone, killed = tmp_path / 'alone', tmp_path / 'killed'
    subprocess.run(command(config, flip, tiny_shapes, alone), cwd=ROOT, check=True, capture_output=True)
    process = subprocess.Popen(command(config, flip, tiny_shapes, killed), cwd=ROOT, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    while not (killed / 'last_checkpoint').exists() and process.poll() is None:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (killed / f'epoch_{EPOCHS}.pth').exists(), 'the kill came after the end'
    subprocess.run(command(config, flip, tiny_shapes, killed), cwd=ROOT, check=True, capture_output=True)
    logs = sorted(killed.glob('*/*.log'))
    assert len(logs) == 2 and 'resumed epoch: ' in logs[1].read_text()
    expected, found = last_state(alone), last_state(killed)
    assert set(found) == set(expected) and len(found) > 100
    different = [name for name, value in expected.items() if not torch.equal(torch.as_tensor(value),
                                                                             torch.as_tensor(found[name]))]
    assert not different
