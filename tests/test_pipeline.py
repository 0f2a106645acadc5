"""The pipeline runs real small scripts as stages: order, skipping, continuing after a kill, reports, bad input."""
import argparse
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from nasbnn_det.pipeline import PipelineError, Stage, load_stages, run_pipeline, write_report
from nasbnn_det.pipeline import stages as shared

WRITE = '''
import json, pathlib, sys
folder = pathlib.Path(sys.argv[1])
with open(folder / 'runs.txt', 'a') as f:
    f.write(' '.join(sys.argv[2:]) + '\\n')
(folder / 'last_checkpoint').write_text('/elsewhere/epoch_1.pth')
(folder / 'result.json').write_text(json.dumps(dict(metrics={'coco/bbox_mAP': 0.5}, files=['picture.png'])))
'''
# Fails until a file says otherwise, as a stage that is killed and started again.
FAIL = '''
import pathlib, sys
folder = pathlib.Path(sys.argv[1])
print('sys.argv', sys.argv[2:])
if '--resume' not in sys.argv:
    print('ValueError: the reason')
    sys.exit(3)
'''
SLEEP = '''
import pathlib, sys, time
folder = pathlib.Path(sys.argv[1])
(folder / 'started').write_text('')
if '--resume' not in sys.argv:
    time.sleep(60)
'''


@pytest.fixture
def root(tmp_path):
    root = tmp_path / 'root'
    root.mkdir()
    for name, text in (('write.py', WRITE), ('fail.py', FAIL), ('sleep.py', SLEEP)):
        (root / name).write_text(text)
    return root


def stage(name, tool='write.py', *args, **kwargs):
    return Stage(name, tool, ('{stage_dir}', *args), **kwargs)


def test_stages_run_in_order_and_see_earlier_ones(root, tmp_path):
    second = stage('second', 'write.py', '{first.checkpoint}', '{data_root}', cfg_options=dict(a='{first}'))
    stages = [stage('first'), second]
    records = run_pipeline(stages, root, tmp_path / 'work', 'DATA')
    work = tmp_path / 'work'
    expected = f'{work}/first/epoch_1.pth DATA --cfg-options a={work}/first\n'
    assert (work / 'second' / 'runs.txt').read_text() == expected
    assert [r['name'] for r in records] == ['first', 'second']


def test_finished_stages_are_skipped(root, tmp_path):
    stages = [stage('first'), stage('second')]
    first = run_pipeline(stages, root, tmp_path / 'work', '')
    assert run_pipeline(stages, root, tmp_path / 'work', '') == first
    assert len((tmp_path / 'work' / 'first' / 'runs.txt').read_text().splitlines()) == 1


def test_other_settings_are_refused_and_nothing_is_lost(root, tmp_path):
    run_pipeline([stage('first')], root, tmp_path / 'work', '')
    with pytest.raises(PipelineError, match="stage 'first' was finished in .* with other settings"):
        run_pipeline([stage('first', 'write.py', 'other')], root, tmp_path / 'work', '')
    assert (tmp_path / 'work' / 'first' / 'stage.json').is_file()


def test_failed_stage_is_named_and_continued_with_resume(root, tmp_path):
    stages = [stage('only', 'fail.py', resume=True)]
    with pytest.raises(PipelineError, match='only failed with exit status 3: ValueError: the reason'):
        run_pipeline(stages, root, tmp_path / 'work', '')
    record, = run_pipeline(stages, root, tmp_path / 'work', '')
    assert record['command'][-1] == '--resume'


def test_killed_pipeline_continues(root, tmp_path):
    work = tmp_path / 'work'
    code = ('from nasbnn_det.pipeline import Stage, run_pipeline; from pathlib import Path; import sys; '
            "run_pipeline([Stage('first', 'write.py', ('{stage_dir}',)), "
            "Stage('second', 'sleep.py', ('{stage_dir}',), resume=True)], Path(sys.argv[1]), Path(sys.argv[2]), '')")
    process = subprocess.Popen([sys.executable, '-c', code, str(root), str(work)], start_new_session=True)
    deadline = time.time() + 60
    while not (work / 'second' / 'started').exists():
        assert time.time() < deadline and process.poll() is None
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    stages = [stage('first'), stage('second', 'sleep.py', resume=True)]
    records = run_pipeline(stages, root, work, '')
    assert [r['name'] for r in records] == ['first', 'second']
    assert len((work / 'first' / 'runs.txt').read_text().splitlines()) == 1


def test_a_training_that_was_killed_while_it_wrote_its_log_is_continued(root, tmp_path):
    log = tmp_path / 'work' / 'first' / '1' / 'vis_data'
    log.mkdir(parents=True)
    (log / 'scalars.json').write_text('{"loss": 2.0}\n{"loss": 1.5}\n{"lo')
    (root / 'write.py').write_text('')
    record, = run_pipeline([stage('first', resume=True)], root, tmp_path / 'work', '')
    assert record['metrics'] == dict(first_loss=2.0, last_loss=1.5)


def test_report(root, tmp_path):
    work = tmp_path / 'work'
    page = write_report(run_pipeline([stage('first'), stage('second', 'sleep.py', '--resume')], root, work, ''), work)
    report = json.loads((work / 'report.json').read_text())
    assert report['metrics'] == {'coco/bbox_mAP': 0.5}
    assert [s['name'] for s in report['stages']] == ['first', 'second']
    assert {'seconds', 'metrics', 'ops', 'files'} <= set(report['stages'][0])
    assert '![picture](picture.png)' in page.read_text()


@pytest.mark.parametrize('rows, message', [
    (None, 'needs a list named stages'),
    ([dict(name='a')], r"keys \['tool'\]"),
    ([dict(name='a', tool='b', speed=1)], r"keys \['speed'\]"),
    ([dict(name='a', tool='b')] * 2, "names repeat: \\['a'\\]"),
])
def test_bad_configs_are_refused(rows, message):
    with pytest.raises(PipelineError, match=message):
        load_stages(rows)


def test_unknown_place_is_refused(root, tmp_path):
    with pytest.raises(PipelineError, match="names 'later', which is no earlier stage; allowed are data_root"):
        run_pipeline([stage('first', 'write.py', '{later}')], root, tmp_path / 'work', '')


def test_a_training_without_validation():
    """The options arrive as None, whatever else is said of the loader, so that MMEngine builds no validation."""
    mmengine = pytest.importorskip('mmengine')
    stage = Stage(**shared.train('detector', 'c.py', shared.detector_data(), shared.unvalidated()))
    command = stage.command(dict(data_root='data', stage_dir='out'))
    assert command[:3] == ['c.py', '--work-dir', 'out'] and stage.resume
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=mmengine.config.DictAction)
    options = parser.parse_args(command[3:]).cfg_options
    loader = dict(dataset=dict(data_root='elsewhere'))
    cfg = mmengine.Config(dict(
        train_dataloader=loader, val_dataloader=loader, test_dataloader=loader, val_cfg=dict(), val_evaluator=dict()))
    cfg.merge_from_dict(options)
    assert cfg.val_dataloader is cfg.val_cfg is cfg.val_evaluator is None
    assert cfg.train_dataloader.dataset.data_root == cfg.test_dataloader.dataset.data_root == 'data'


def test_later_options_win():
    assert shared.train('a', 'c.py', dict(x=1, y=1), dict(x=2))['cfg_options'] == dict(x=2, y=1)
    assert 'cfg_options' not in shared.operations('c.py', 32)
