"""Kills a pipeline by SIGKILL at random moments in each of its stages, and compares the end with an uninterrupted run.

    python tests/soak_pipeline.py FOLDER --kills 20

With --stages supernet search, for example, the others that can be left out are.
"""
import argparse
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import torch
from safetensors.torch import load_file

from nasbnn_det.arch import Front

ROOT = Path(__file__).resolve().parents[1]
CONFIG = '''
_base_ = []

from nasbnn_det.pipeline.stages import data, detector_data, evaluation, finetune, found, made_shapes
from nasbnn_det.pipeline.stages import packing, pretrained, search_stages, train, unvalidated

detector = 'configs/detection/rtmdet/rtmdet_nasbnn-tiny_1xb16-8e_shapes-128.py'
# Flips are drawn anew by a new process, so they are left out.
short = {'train_dataloader.batch_size': 10, 'train_dataloader.num_workers': 0, 'train_cfg.max_epochs': 4,
         'default_hooks.checkpoint.interval': 1, 'default_hooks.logger.interval': 1}
still = {'train_dataloader.dataset.pipeline.1.prob': 0.0}
sizes = dict(num_random=4, num_mutants=1, num_crossovers=1, generations=4, bucket=5e4)
search = {**data(), 'train_dataloader.batch_size': 10, 'train_cfg.recalibration_batches': 1,
          **{f'train_cfg.evolution.{name}': value for name, value in sizes.items()}}
chain = search_stages('configs/supernet/nasbnn-supernet-tiny_1xb32-3e_shapes-48.py',
                      'configs/search/nasbnn-search-tiny_shapes-48.py', 48, {})
chain[0]['cfg_options'] = {**data(), **short, **still, **unvalidated()}
chain[1]['cfg_options'].update(search)
chain[2]['cfg_options'] = search
shapes = made_shapes()
shapes['args'] += '--num-train 12 --num-val 4 --image-size 64 --num-cls-train 20 --num-cls-val 10'.split()
stages = [
    shapes,
    *chain,
    finetune('configs/finetune/nasbnn-tiny_1xb64-12e_shapes-48.py', {**data(), **short, **still, **unvalidated()}),
    train('detector', detector, detector_data(), found(), pretrained('{extract}/subnet.pth'), short, unvalidated(),
          {'train_dataloader.dataset.pipeline.3.prob': 0.0, 'train_dataloader.batch_size': 4}),
    train('nasb', 'configs/nasb/nasb-search-r18-tiny_1xb32-4e_shapes-48.py', data(), short, still, unvalidated(),
          {'model.backbone.init_cfg': None, 'model.head.init_cfg': None, 'model.backbone.base_channels': 4}),
    *packing(detector, detector_data(), found()),
    evaluation(detector, detector_data(), found(), {'test_dataloader.num_workers': 0}),
]
'''


#: In the order of the pipeline.
STAGES = ['data', 'supernet', 'search', 'extract', 'finetune', 'detector', 'nasb', 'packing', 'packed_pictures',
          'evaluation']
#: What each of them needs of the others.
NEEDS = dict(supernet=['data'], search=['supernet'], extract=['search'], finetune=['extract'], detector=['extract'],
             nasb=['data'], packing=['detector'], packed_pictures=['packing'], evaluation=['detector'])


def with_needs(stages: list) -> list:
    """Stages and all that they need, in the order of the pipeline."""
    wanted = set(stages)
    for stage in reversed(STAGES):
        wanted |= set(NEEDS.get(stage, ())) if stage in wanted else set()
    return [stage for stage in STAGES if stage in wanted]


def start(folder: Path, name: str, stages: list) -> subprocess.Popen:
    """The pipeline in a folder of its own."""
    config = folder / 'soak.py'
    config.write_text(f'{CONFIG}stages = [stage for stage in stages if stage["name"] in {stages}]\n')
    with open(folder / f'{name}.log', 'a') as log:
        return subprocess.Popen(
            [sys.executable, 'tools/run_pipeline.py', str(config), '--work-dir', str(folder / name), '--data-root',
             str(folder / name / 'shapes')], cwd=ROOT, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)


def running(work_dir: Path, stages: list) -> str:
    """The stage at work; '' before the first and after the last."""
    begun = [name for name in stages if (work_dir / name).is_dir() and not (work_dir / name / 'stage.json').is_file()]
    return begun[0] if begun else ''


def progress(work_dir: Path, stage: str) -> int:
    """Epochs or generations that a stage has saved."""
    state, pointer = work_dir / stage / 'search_state.json', work_dir / stage / 'last_checkpoint'
    if state.is_file():
        return json.loads(state.read_text())['body']['evolution']['generation']
    match = re.search(r'epoch_(\d+)\.pth$', pointer.read_text() if pointer.is_file() else '')
    return int(match[1]) if match else 0


def kill(process: subprocess.Popen, how: str) -> None:
    """Kills all at once, the pipeline alone, or the stage alone."""
    children = Path(f'/proc/{process.pid}/task/{process.pid}/children').read_text().split()
    if how == 'all':
        os.killpg(process.pid, signal.SIGKILL)
    else:
        victims = [process.pid] if how == 'pipeline' or not children else map(int, children)
        for victim in victims:
            os.kill(victim, signal.SIGKILL)
    process.wait()
    while any(Path(f'/proc/{child}').exists() for child in children):  # a stage ends with its pipeline
        time.sleep(0.01)


def soak(folder: Path, kills: int, seed: int, stages: list) -> list:
    """Runs until the pipeline is finished; returns what was killed, as rows for :func:`check`."""
    work_dir, draw, rows = folder / 'killed', random.Random(seed), []
    seconds = {row['name']: row['seconds'] for row in json.loads((folder / 'alone' / 'report.json').read_text())['stages']}
    targets = sorted((stages[1:] * kills)[:kills], key=stages.index)
    while targets:
        target = targets.pop(0)
        process = start(folder, 'killed', stages)
        done = work_dir / target / 'stage.json'
        while running(work_dir, stages) != target and process.poll() is None and not done.is_file():
            time.sleep(0.02)
        end = time.time() + draw.uniform(0, seconds[target])
        while time.time() < end and process.poll() is None and running(work_dir, stages) == target:
            time.sleep(0.02)
        if process.poll() is None:
            how = draw.choice(('all', 'pipeline', 'stage'))
            kill(process, how)
        else:
            assert process.returncode == 0, (folder / 'killed.log').read_text()[-2000:]
            how = 'finished before'
        stage = running(work_dir, stages)
        rows.append(dict(target=target, stage=stage, how=how, saved=progress(work_dir, stage) if stage else 0))
        print(rows[-1], flush=True)
    process = start(folder, 'killed', stages)
    assert process.wait() == 0, (folder / 'killed.log').read_text()[-2000:]
    return rows


def check(folder: Path, rows: list, stages: list) -> None:
    """The report is complete, nothing was begun anew, and results are those of the uninterrupted run."""
    alone, killed = folder / 'alone', folder / 'killed'
    reports = [json.loads((run / 'report.json').read_text()) for run in (alone, killed)]
    assert [stage['name'] for stage in reports[1]['stages']] == stages
    if 'evaluation' in stages:
        assert reports[1]['metrics'] == reports[0]['metrics']
    for stage, name in (('search', 'history.jsonl'), ('nasb', 'cells.json'), ('nasb', 'alphas.jsonl')):
        if stage in stages:
            assert (killed / stage / name).read_bytes() == (alone / stage / name).read_bytes(), name
    # Beside these the front names its supernet's file, and the packed file its checkpoint's.
    if 'search' in stages:
        assert Front.load(killed / 'search' / 'front.json').entries == Front.load(alone / 'search' / 'front.json').entries
    if 'packing' in stages:
        expected, found = (load_file(run / 'packing' / 'detector.safetensors') for run in (alone, killed))
        assert set(expected) == set(found) and all(torch.equal(value, found[key]) for key, value in expected.items())
    for stage in {'supernet', 'finetune', 'detector', 'nasb'} & set(stages):
        expected, found = (torch.load(run / stage / 'epoch_4.pth', weights_only=False)['state_dict']
                           for run in (alone, killed))
        assert list(expected) == list(found)
        assert [key for key, value in expected.items() if not torch.equal(value, found[key])] == [], stage
        log = (killed / stage / 'log.txt').read_text()
        resumed = [int(epoch) for epoch in re.findall(r'resumed epoch: (\d+)', log)]
        saved = [row['saved'] for row in rows if row['stage'] == stage and row['saved']]
        # Each start after a kill goes on from what was saved by then; one that was killed before it read that says nothing.
        assert all(epoch in saved for epoch in resumed) and resumed == sorted(resumed), (stage, resumed, saved)
        assert not saved or max(resumed) == max(saved), (stage, resumed, saved)
    if 'search' in stages:
        log = (killed / 'search' / 'log.txt').read_text()
        assert all(log.count(f'generation {i} done') <= 1 for i in range(5))
    left = [path for run in (alone, killed) for path in run.rglob('.*') if path.is_dir()]
    print(f'{sum(row["how"] != "finished before" for row in rows)} kills; {len(left)} temporary folders were left')


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('folder', type=Path, help='new folder for both runs')
    parser.add_argument('--kills', type=int, default=20)
    parser.add_argument('--stages', nargs='+', choices=STAGES, default=STAGES)
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args()
    stages = with_needs(args.stages)
    args.folder.mkdir(parents=True)
    folder = args.folder.resolve()
    process = start(folder, 'alone', stages)
    assert process.wait() == 0, (folder / 'alone.log').read_text()[-2000:]
    check(folder, soak(folder, args.kills, args.seed, stages), stages)


if __name__ == '__main__':
    main()
