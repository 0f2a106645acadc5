"""A search whose process is killed and started again ends with the very front of one that was left alone."""
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from nasbnn_det.arch import get_space
from nasbnn_det.datasets.shapes import CLASSES
from nasbnn_det.supernet import Supernet

ROOT = Path(__file__).resolve().parents[2]
CONFIG = 'configs/search/nasbnn-search-tiny_shapes-48.py'


def command(data, supernet, work_dir, *more):
    options = [
        f'train_dataloader.dataset.data_root={data}', f'val_dataloader.dataset.data_root={data}',
        'train_dataloader.batch_size=5', 'train_dataloader.num_workers=0', 'train_dataloader.persistent_workers=False',
        f'train_cfg.supernet={supernet}', 'train_cfg.recalibration_batches=1', 'train_cfg.evolution.num_random=6',
        'train_cfg.evolution.num_mutants=4', 'train_cfg.evolution.num_crossovers=4', 'train_cfg.evolution.generations=4'
    ]
    return [sys.executable, 'tools/train.py', CONFIG, '--work-dir', str(work_dir), *more, '--cfg-options', *options]


@pytest.mark.slow
def test_killed_search_continues_to_the_same_front(tiny_shapes, tmp_path):
    torch.manual_seed(0)
    supernet = tmp_path / 'supernet.pth'
    torch.save(Supernet(get_space('tiny'), len(CLASSES)).state_dict(), supernet)
    alone, killed = tmp_path / 'alone', tmp_path / 'killed'
    started = time.time()
    subprocess.run(command(tiny_shapes, supernet, alone), cwd=ROOT, check=True, capture_output=True)
    seconds = time.time() - started

    moments = random.Random(0)
    states = set()
    for attempt in range(4):
        # The first is killed right after a state is there, the others anywhere in their run.
        process = subprocess.Popen(command(tiny_shapes, supernet, killed, '--resume'), cwd=ROOT,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.time() + (moments.uniform(0, seconds) if attempt else 120)
        while time.time() < end and process.poll() is None and (attempt or not (killed / 'search_state.json').exists()):
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        states.add((killed / 'search_state.json').read_text())

    subprocess.run(command(tiny_shapes, supernet, killed, '--resume'), cwd=ROOT, check=True, capture_output=True)
    assert states - {(alone / 'search_state.json').read_text()}, 'every kill came after the end'
    for name in ('front.json', 'history.jsonl', 'search_state.json'):
        assert (killed / name).read_bytes() == (alone / name).read_bytes()


@pytest.mark.slow
def test_a_search_on_packed_kernels_finds_the_same_scores(tiny_shapes, tmp_path):
    torch.manual_seed(0)
    supernet = tmp_path / 'supernet.pth'
    torch.save(Supernet(get_space('tiny'), len(CLASSES)).state_dict(), supernet)
    for name, packed in (('float', 'False'), ('packed', 'True')):
        run = command(tiny_shapes, supernet, tmp_path / name)
        subprocess.run([*run, 'train_cfg.evolution.generations=1', f'train_cfg.packed={packed}'], cwd=ROOT, check=True,
                       capture_output=True)
    histories = [(tmp_path / name / 'history.jsonl').read_text().splitlines() for name in ('float', 'packed')]
    # The first generation is the same in both; a turned sign may change a score.
    assert sum(a == b for a, b in zip(*(history[:6] for history in histories))) >= 5
