"""What the command line tools share: reading settings, one folder for all data, how they end."""
import argparse
import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmengine.config import DictAction
from torch.utils.data import DataLoader, Dataset

from nasbnn_det.cli import add_config_options, choose_work_dir, read_config, run_tool
from nasbnn_det.cli.config import ConfigOptions
from nasbnn_det.evaluation.top_k import check_top_k

WORDS = st.text('ab.-_/0123', min_size=1, max_size=4) | st.sampled_from(['-2', '0.5', '1e-3', 'True', 'false', 'None'])
VALUES = st.recursive(WORDS, lambda part: st.lists(part, min_size=1, max_size=3).flatmap(
    lambda parts: st.sampled_from([f'[{",".join(parts)}]', f'({",".join(parts)})'])), max_leaves=5)


def read(*items, action=ConfigOptions):
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=action)
    return parser.parse_args(['--cfg-options', *items]).cfg_options


@given(VALUES | st.lists(WORDS, min_size=2, max_size=3).map(','.join))
def test_values_without_blanks_are_read_as_mmengine_reads_them(value):
    assert read(f'a.b={value}') == read(f'a.b={value}', action=DictAction)


@pytest.mark.parametrize('text, value', [
    ('/my data/arch.json', '/my data/arch.json'), ("'/my data/'", '/my data/'),
    ('[my data/a, my data/b]', ['my data/a', 'my data/b']),
    ('(1, 2.5)', (1, 2.5)), ('a=b c', 'a=b c'), ('', ''), ('(3,)', (3, ))])
def test_blanks_are_kept(text, value):
    assert read(f'key={text}', 'more=1') == dict(key=value, more=1)


@pytest.mark.parametrize('name', ['a,b', '[a]', 'a, (b)', 'plain'])
def test_paths_are_kept_whole(name, tmp_path):
    folder = tmp_path / name
    folder.mkdir()
    for path in (folder, folder / 'new.json', folder / 'front.json#57', f'{folder}/'):
        assert read(f'key={path}') == dict(key=str(path))
    assert read(f'key={tmp_path}/a,{tmp_path}/c') == dict(key=[f'{tmp_path}/a', f'{tmp_path}/c'])


def test_no_setting_is_said(capsys):
    with pytest.raises(SystemExit):
        read('/my', 'data')
    assert "takes KEY=VALUE, not '/my'" in capsys.readouterr().err


CONFIG = '''
data_root = 'data/old/'
train_dataloader = dict(num_workers=2, persistent_workers=True, dataset=dict(
    type='RepeatDataset', dataset=dict(data_root=data_root, ann_file='annotations/train.json')))
val_dataloader = dict(num_workers=2, persistent_workers=True, dataset=dict(data_root=data_root))
test_dataloader = dict(dataset=dict(datasets=[dict(data_root=data_root), dict(data_root=data_root)]))
val_evaluator = dict(ann_file=data_root + 'annotations/val.json')
test_evaluator = [dict(ann_file=data_root + 'annotations/val.json'), dict(ann_file='elsewhere.json')]
'''


@pytest.fixture
def config(tmp_path):
    path = tmp_path / 'config.py'
    path.write_text(CONFIG)
    return path


def test_one_folder_moves_all_data(config):
    cfg = read_config(config, data_root='/my data')
    moved = [cfg.train_dataloader.dataset.dataset, cfg.val_dataloader.dataset, *cfg.test_dataloader.dataset.datasets]
    assert [part.data_root for part in moved] == ['/my data'] * 4
    assert cfg.val_evaluator.ann_file == cfg.test_evaluator[0].ann_file == '/my data/annotations/val.json'
    assert cfg.test_evaluator[1].ann_file == 'elsewhere.json'


def test_several_folders_are_not_moved_at_once(config):
    with pytest.raises(ValueError, match=r"those of this config have \['data/old/', 'other'\]"):
        read_config(config, {'val_dataloader.dataset.data_root': 'other'}, data_root='new')


def test_no_workers_are_not_kept_alive(config):
    cfg = read_config(config, {'train_dataloader.num_workers': 0})
    assert 'persistent_workers' not in cfg.train_dataloader and cfg.val_dataloader.persistent_workers


def test_a_tool_takes_both(config):
    parser = argparse.ArgumentParser()
    add_config_options(parser)
    args = parser.parse_args(['--cfg-options', 'data_root=x'])
    assert read_config(config, args.cfg_options).data_root == 'x'


class Broken(Dataset):
    """Raises what it is given."""

    def __init__(self, error):
        self.error = error

    def __len__(self):
        return 1

    def __getitem__(self, index):
        if self.error == 'ours':
            check_top_k(dict(model=dict(num_classes=2), val_evaluator=dict(topk=5)))
        raise self.error


def load(error, workers=1):
    list(DataLoader(Broken(error), num_workers=workers))


@pytest.mark.parametrize('workers', [0, 1])
@pytest.mark.parametrize('error, words', [
    ('ours', 'val_evaluator.topk is 5, but there are 2 classes'), (FileNotFoundError('image x does not exist'), 'image x'),
    (PermissionError(13, 'Permission denied', 'x y.jpg'), 'Permission denied'),
    (FileExistsError(17, 'Is there', 'work'), 'Is there'),
    (OSError(28, 'No space left on device'), 'No space left'), (OSError(30, 'Read-only file system', 'a'), 'Read-only'),
    ], ids=str)
def test_bad_input_met_by_a_worker_is_one_sentence(error, words, workers, capsys):
    with pytest.raises(SystemExit) as end:
        run_tool(lambda: load(error, workers))
    said = capsys.readouterr().err
    assert end.value.code == 1 and said.startswith('error: ') and words in said
    assert said.count('\n') == 1 and 'Traceback' not in said and 'File' not in said


@pytest.mark.parametrize('workers', [0, 1])
@pytest.mark.parametrize('error', [ValueError('of another library'), KeyError('key'), RuntimeError('a fault'),
                                   OSError('of another library'), OSError(), TypeError('f() got an unexpected keyword')],
                         ids=repr)
def test_faults_keep_their_traceback(error, workers):
    with pytest.raises(type(error)):
        run_tool(lambda: load(error, workers))


class Killed(Broken):
    """Its process is killed from outside, as for want of memory."""

    def __getitem__(self, index):
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_worker_that_dies_is_one_sentence(capsys):
    with pytest.raises(SystemExit):
        run_tool(lambda: list(DataLoader(Killed(None), num_workers=1)))
    said = capsys.readouterr().err
    assert said.startswith('error: DataLoader worker') and 'lower num_workers or batch_size' in said
    assert said.count('\n') == 1


@pytest.mark.parametrize('model', [dict(num_classes=3), dict(head=dict(num_classes=3))])
@pytest.mark.parametrize('topk, fits', [(1, True), ((1, 3), True), ((1, 5), False), (5, False), ([1, 4], False)])
def test_top_k(model, topk, fits):
    cfg = json.loads(json.dumps(dict(model=model, val_evaluator=[dict(type='Accuracy', topk=topk)])))
    if fits:
        check_top_k(cfg)
    else:
        with pytest.raises(ValueError, match=f'val_evaluator.topk is .*{np.max(topk)}.*, but there are 3 classes'):
            check_top_k(cfg)


@pytest.mark.parametrize('text, words', [
    ('x = (\n', 'SyntaxError'), ('x = y\n', "name 'y' is not defined"), ("_base_ = 3\n", 'TypeError'),
    ("x = dict(a=1)['b']\n", "KeyError: 'b'")], ids=['syntax', 'name', 'base', 'key'])
def test_a_config_that_fails_is_named(text, words, tmp_path):
    path = tmp_path / 'broken.py'
    path.write_text(text)
    with pytest.raises(ValueError, match=f"config '{path}' can't be read .*{words}"):
        read_config(path)


def test_no_config_at_all(tmp_path):
    (tmp_path / 'config.txt').write_text('x = 1')
    with pytest.raises(ValueError, match="config.txt' can't be read .*py/yml/yaml/json"):
        read_config(tmp_path / 'config.txt')
    with pytest.raises(FileNotFoundError):
        read_config(tmp_path / 'none.py')


def test_a_run_does_not_replace_its_config(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for text in ("_base_ = 'base.py'\n", '# my notes\nx = 1\n', 'y = 2\nx = 1\n', 'x = 2 * 3\n', 'import os\nx = 1\n'):
        (tmp_path / 'base.py').write_text('y = 1\n')
        (tmp_path / 'mine.py').write_text(text)
        with pytest.raises(ValueError, match="would replace 'mine.py' there; name another folder"):
            choose_work_dir(read_config(tmp_path / 'mine.py'), '.')
        cfg = read_config('mine.py')
        choose_work_dir(cfg)
        assert cfg.work_dir == 'work_dirs/mine'
        # Neither a file of that name that is not the config it was called with.
        (tmp_path / 'elsewhere').mkdir(exist_ok=True)
        (tmp_path / 'elsewhere' / 'mine.py').write_text('x = 1\n')
        with pytest.raises(ValueError, match="would replace 'mine.py' there"):
            choose_work_dir(read_config('elsewhere/mine.py'), '.')
        # The copy that a run has left there is its own.
        (tmp_path / 'runs').mkdir(exist_ok=True)
        cfg.dump(tmp_path / 'runs' / 'mine.py')
        choose_work_dir(read_config(tmp_path / 'runs' / 'mine.py'), 'runs')


def test_a_copy_in_another_form_than_python_is_replaced_unless_it_is_the_config(tmp_path):
    for folder in (tmp_path, tmp_path / 'run'):
        folder.mkdir(exist_ok=True)
        (folder / 'mine.yaml').write_text('x: 1  # my note\n')
    choose_work_dir(read_config(tmp_path / 'mine.yaml'), str(tmp_path / 'run'))
    with pytest.raises(ValueError, match='mine.yaml'):
        choose_work_dir(read_config(tmp_path / 'mine.yaml'), str(tmp_path))


def test_an_unknown_type_and_an_empty_folder_are_said(tmp_path, capsys):
    """By MMEngine and MMPretrain, whose messages these are."""
    from mmengine.registry import MODELS
    from mmpretrain.datasets import CustomDataset
    (tmp_path / 'cat').mkdir()
    for build, words in ((lambda: MODELS.build(dict(type='Nix')), 'Nix is not in the '),
                         (lambda: MODELS.build(dict(type='BaseDataPreprocessor', size=1)), "keyword argument 'size'"),
                         (lambda: MODELS.build(dict(type='ExponentialMovingAverage')), "missing 1 required"),
                         (lambda: CustomDataset(data_root=str(tmp_path)), 'Found 0 files in subfolders of: {')):
        with pytest.raises(SystemExit):
            run_tool(build)
        said = capsys.readouterr().err
        assert said.startswith('error: ') and words in said and 'Traceback' not in said


def test_letters_that_a_terminal_lacks_end_no_run(tmp_path):
    code = "from nasbnn_det.cli import run_tool; run_tool(lambda: print('猫'))"
    environment = {**os.environ, 'PYTHONIOENCODING': 'latin-1'}
    done = subprocess.run([sys.executable, '-c', code], env=environment, capture_output=True)
    assert done.returncode == 0 and done.stdout.split() == [rb'\u732b'], done.stderr
