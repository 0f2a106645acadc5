"""Several processes at one series of trainings."""
import json
import multiprocessing
import runpy
from pathlib import Path

import pytest

pytest.importorskip('mmdet')

from nasbnn_det.files import locked  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]
TOOL = 'tools/analysis_tools/repeat_training.py'
DETECTOR = 'configs/detection/rtmdet/rtmdet_nasbnn-tiny_1xb16-8e_shapes-128.py'


def add_runs(add_run, path, seeds):
    for seed in seeds:
        add_run(path, dict(seed=seed))


def test_no_line_of_another_process_is_lost(tmp_path):
    add_run = runpy.run_path(str(ROOT / TOOL))['add_run']
    path = tmp_path / 'runs.jsonl'
    processes = [multiprocessing.get_context('fork').Process(target=add_runs, args=(add_run, path, range(k, 150, 3)))
                 for k in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert sorted(json.loads(line)['seed'] for line in path.read_text().splitlines()) == list(range(150))


def test_a_seed_that_another_process_trains_is_left_to_it(tmp_path, run_tool):
    run = dict(score=0.5, ops=1e6, bops=2e6, params=3e3, bytes=4)
    (tmp_path / 'runs.jsonl').write_text(json.dumps(dict(run, seed=1)) + '\n')
    with locked(tmp_path / 'seed0.lock'):
        done = run_tool(TOOL, DETECTOR, '--seeds', 0, 1, '--work-dir', tmp_path)
        alone = run_tool(TOOL, DETECTOR, '--seeds', 0, '--work-dir', tmp_path)
    assert done.returncode == 0, done.stderr
    assert 'seed 0 is left to the process that trains it' in done.stdout
    assert json.loads(done.stdout.splitlines()[-1])['runs/mean'] == 0.5
    assert alone.returncode == 1 and 'no training of the seeds [0] is finished yet' in alone.stderr
    assert not (tmp_path / 'seed0').exists()


@pytest.mark.slow
def test_a_detector_is_scored_by_its_map_and_a_wrong_score_is_named(tiny_shapes, tmp_path, run_tool):
    options = [f'{name}_dataloader.{key}' for name in ('train', 'val')
               for key in (f'dataset.data_root={tiny_shapes}/', 'num_workers=0')]
    args = [DETECTOR, '--seeds', 3, '--shape', 64, 64, '--work-dir', tmp_path]
    wrong = run_tool(TOOL, *args, '--score', 'accuracy/top1', '--cfg-options', *options, 'train_cfg.max_epochs=1')
    assert wrong.returncode == 1 and "gives no 'accuracy/top1', but coco/bbox_mAP" in wrong.stderr
    done = run_tool(TOOL, *args, '--cfg-options', *options, 'train_cfg.max_epochs=1')
    assert done.returncode == 0, done.stderr
    assert 0 <= json.loads((tmp_path / 'runs.jsonl').read_text())['score'] < 0.5
