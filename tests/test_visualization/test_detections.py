"""Pictures of detections: names that can be read, and nothing written over what somebody else wrote."""
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from nasbnn_det.visualization.detections import draw_boxes

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / 'configs' / 'detection' / 'rtmdet' / 'rtmdet_nasbnn-tiny_1xb16-8e_shapes-128.py'


def draw(names, label=0):
    return draw_boxes(np.full((160, 240, 3), 128, np.uint8), np.array([[20., 40, 200, 140]]), [label], names)


def test_a_box_stands_where_it_is_with_its_name_above():
    picture = draw(['cat'])
    rows, columns = np.nonzero((picture != 128).any(2))
    assert abs(columns.min() - 20) < 3 and abs(columns.max() - 200) < 3 and abs(rows.max() - 140) < 3
    assert 20 < rows.min() < 38
    assert (draw(['cat']) == picture).all() and (draw(['dog']) != picture).any()


@pytest.mark.parametrize('name, marks', [('étoile', '?toile'), ('кот', '???'), ('γάτα', '????'), ('猫', '?')])
def test_names_that_are_not_ascii_are_no_question_marks(name, marks):
    assert (draw([name]) != draw([marks])).any()


def test_names_without_letters_in_the_font_are_numbers():
    names = ['猫', 'a', '犬']
    assert (draw(names, 0) == draw(['class 0'])).all()
    assert (draw(names, 2) == draw(['', '', 'class 2'], 2)).all()


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    pytest.importorskip('mmdet')
    from mmengine.config import Config
    from mmengine.registry import MODELS, init_default_scope
    from mmengine.runner import save_checkpoint
    init_default_scope('mmdet')
    file = tmp_path_factory.mktemp('drawn') / 'd.pth'
    save_checkpoint(dict(state_dict=MODELS.build(Config.fromfile(CONFIG).model).state_dict(), meta={}), str(file))
    return file


def test_the_tool_leaves_what_it_did_not_write(checkpoint, tiny_shapes, tmp_path, run_tool):
    config, theirs = tmp_path / 'mine.py', tmp_path / 'result.json'
    config.write_text(f'# my notes\n_base_ = {str(CONFIG)!r}\n')
    theirs.write_text('{"metrics": {"coco/bbox_mAP": 0.5}}')
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    command = ['tools/analysis_tools/draw_detections.py', str(config), str(checkpoint), '--num', '2', '--score-thr', '0',
               '--cfg-options', f'test_dataloader.dataset.data_root={tiny_shapes}', '--out']
    done = run_tool(*command, str(tmp_path / 'drawn.png'))
    assert done.returncode == 0, done.stderr
    assert cv2.imread(str(tmp_path / 'drawn.png')) is not None
    assert {path.name for path in tmp_path.iterdir()} == {'mine.py', 'result.json', 'drawn.png'}
    assert all(path.read_bytes() == content for path, content in before.items())
    for _ in range(2):  # its own it may replace
        done = run_tool(*command, str(tmp_path / 'stage' / 'drawn.png'))
        assert done.returncode == 0, done.stderr
        assert json.loads((tmp_path / 'stage' / 'result.json').read_text())['files'] == ['stage/drawn.png']
    done = run_tool(*command, str(config))
    assert done.returncode == 1 and 'is no picture' in done.stderr
    assert config.read_bytes() == before[config]
