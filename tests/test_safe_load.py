"""Checkpoints of MMEngine's runner are read by safe loading, by MMEngine itself too, and nothing else gets through."""
import zipfile

import pytest
import torch

pytest.importorskip('mmengine')

from mmengine.logging import HistoryBuffer  # noqa: E402
from mmengine.runner import CheckpointLoader  # noqa: E402

import nasbnn_det  # noqa: E402, F401
from nasbnn_det.supernet.checkpoint import load_safely  # noqa: E402


@pytest.fixture
def checkpoint(tmp_path):
    """As a runner writes it, with a log history of two values."""
    path = tmp_path / 'epoch_1.pth'
    history = HistoryBuffer([1.0, 2.0], [1, 1])
    torch.save(dict(state_dict=dict(w=torch.ones(2)), message_hub=dict(log_scalars=dict(loss=history))), path)
    return path


def rewritten(path, change):
    """A copy of a checkpoint whose pickle is changed."""
    target = path.with_name('changed.pth')
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(target, 'w') as new:
        for name in old.namelist():
            data = old.read(name)
            if name.endswith('data.pkl'):
                assert change(data) != data
                data = change(data)
            new.writestr(name, data)
    return target


def other_numpy(data):
    """What NumPy 1 wrote where this is 2, or the other way round."""
    new, old = b'cnumpy._core.multiarray\n', b'cnumpy.core.multiarray\n'
    return data.replace(new, old) if new in data else data.replace(old, new)


def test_mmengine_can_resume(checkpoint):
    loaded = CheckpointLoader.load_checkpoint(str(checkpoint), map_location='cpu')
    assert loaded['message_hub']['log_scalars']['loss'].mean() == 1.5


def test_history_of_the_other_numpy(checkpoint):
    loaded = load_safely(rewritten(checkpoint, other_numpy), 'checkpoint')
    assert loaded['message_hub']['log_scalars']['loss'].data[0].tolist() == [1, 2]


@pytest.mark.parametrize('method', [b'statistics', b'__init__', b'update'])
def test_only_methods_of_the_history_are_reached(checkpoint, method):
    path = rewritten(checkpoint, lambda data: data.replace(
        b'X\x03\x00\x00\x00min', b'X' + len(method).to_bytes(4, 'little') + method))
    with pytest.raises(ValueError, match='no readable checkpoint'):
        load_safely(path, 'checkpoint')


def test_other_functions_are_refused(checkpoint):
    path = rewritten(checkpoint, lambda data: data.replace(b'\ngetattr\n', b'\neval\n'))
    with pytest.raises(ValueError, match='no readable checkpoint'):
        load_safely(path, 'checkpoint')


def test_loading_twice_and_others_safe_globals(checkpoint):
    """Other code's block takes the history's class away at its end; ours puts it back."""
    with torch.serialization.safe_globals([HistoryBuffer]):
        pass
    assert load_safely(checkpoint, 'checkpoint')['state_dict']['w'].tolist() == [1, 1]
