"""mmcv-torchvision-ops: equal to mmcv's compiled operators on recorded inputs, found after any compiled ones.

The records were made by ``mmcv-torchvision-ops/record.py``.
"""
import importlib.util
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
import torch

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / 'mmcv-torchvision-ops' / 'mmcv_torchvision_ops'


def load(name, path):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


ops = load('operators', PACKAGE / 'operators.py')
CASES = defaultdict(dict)
with np.load(ROOT / 'tests' / 'data' / 'mmcv_ops.npz') as _file:
    for _key in _file.files:
        CASES[_key.split('/')[0]][_key.split('/')[1]] = torch.from_numpy(_file[_key])


def cases(kind):
    return pytest.mark.parametrize('name', [name for name in CASES if name.startswith(kind + '_')])


@cases('nms')
def test_nms(name):
    case = CASES[name]
    scores = case['scores']
    if not torch.equal(scores.sort(0, descending=True)[1], case['order']):
        # On another CPU torch sorts equal scores otherwise, for the compiled operator, too: keep the recorded order.
        scores = torch.empty_like(scores).scatter(0, case['order'], torch.arange(len(scores), 0, -1.0))
    kept = ops.nms(case['boxes'], scores, iou_threshold=case['threshold'].item(), offset=case['offset'].item())
    assert torch.equal(kept, case['kept'])


def test_some_records_have_ties():
    assert any(len(case['scores'].unique()) < len(case['scores']) for name, case in CASES.items() if name.startswith('nms_'))


@pytest.mark.parametrize('table', [True, False])
@cases('softnms')
def test_soft_nms(name, table, monkeypatch):
    _, number, method = name.split('_')
    case, expected = CASES[f'nms_{number}'], CASES[name]
    monkeypatch.setattr(ops, '_TABLE_BOXES', 2000 if table else -1)
    dets = torch.zeros(len(case['boxes']), 5)
    kept = ops.softnms(case['boxes'], case['scores'], dets, iou_threshold=case['threshold'].item(), sigma=0.5,
                       min_score=0.05, method=int(method), offset=case['offset'].item())
    assert torch.equal(kept, expected['kept']) and torch.equal(dets[:len(kept), :4], case['boxes'][kept])
    torch.testing.assert_close(dets[:len(kept), 4], expected['scores'], rtol=1e-6, atol=0, equal_nan=True)


@cases('roi_align')
def test_roi_align(name):
    case = CASES[name]
    empty = torch.zeros(0)
    setting = dict(aligned_height=case['size'][0].item(), aligned_width=case['size'][1].item(), spatial_scale=0.125,
                   sampling_ratio=case['ratio'].item(), pool_mode=1, aligned=bool(case['aligned']))
    output = torch.full_like(case['output'], float('nan'))
    ops.roi_align_forward(case['features'], case['rois'], output, empty, empty, **setting)
    torch.testing.assert_close(output, case['output'], rtol=1e-6, atol=1e-6)
    grad = torch.zeros_like(case['features'])
    ops.roi_align_backward(case['grad_output'], case['rois'], empty, empty, grad, **setting)
    torch.testing.assert_close(grad, case['grad_input'], rtol=1e-6, atol=1e-6)


@cases('focal')
def test_focal_loss(name):
    case = CASES[name]
    for function, expected in ((ops.sigmoid_focal_loss_forward, case['forward']),
                               (ops.sigmoid_focal_loss_backward, case['backward'])):
        result = torch.full_like(case['logits'], float('nan'))
        function(case['logits'], case['targets'], case['weight'], result, gamma=case['gamma'].item(),
                 alpha=case['alpha'].item())
        torch.testing.assert_close(result, expected, rtol=2e-5, atol=1e-7)


def test_focal_weights_need_targets_of_their_classes():
    with pytest.raises(ValueError, match='no background'):
        ops.sigmoid_focal_loss_forward(torch.zeros(2, 3), torch.tensor([0, 3]), torch.ones(3), torch.zeros(2, 3), 2.0, 0.25)


def test_other_operators_say_what_to_do_when_called():
    missing = ops.deform_conv_forward
    with pytest.raises(NotImplementedError, match="'deform_conv_forward'.*install a compiled mmcv"):
        missing(torch.zeros(1))
    assert not hasattr(ops, '__path__')


@pytest.mark.parametrize('compiled', [False, True])
def test_a_module_of_mmcv_itself_comes_first(tmp_path, compiled):
    """Even if the finder stands before mmcv's own folder is known to Python."""
    (tmp_path / 'mmcv').mkdir()
    (tmp_path / 'mmcv' / '__init__.py').touch()
    if compiled:
        (tmp_path / 'mmcv' / '_ext.py').touch()
    code = ('import sys; sys.path[:0] = sys.argv[1:]; import mmcv_torchvision_ops as ours; ours.install(); ours.install();'
            'import importlib.util; print(importlib.util.find_spec("mmcv._ext").origin);'
            'print(sys.meta_path.count(ours.OperatorsFinder), "torch" in sys.modules)')
    lines = subprocess.run([sys.executable, '-S', '-c', code, tmp_path, PACKAGE.parent], check=True, capture_output=True,
                           text=True).stdout.splitlines()
    assert Path(lines[0]) == (tmp_path / 'mmcv' / '_ext.py' if compiled else PACKAGE / 'operators.py')
    assert lines[1] == '1 False'
