"""A clock that is put back an hour while something runs changes no time that is told, and nothing that is resumed."""
import itertools
import time
from types import SimpleNamespace

import pytest

pytest.importorskip('mmengine')

from mmengine.hooks import Hook  # noqa: E402
from mmengine.model import BaseModel  # noqa: E402
from mmengine.runner import Runner  # noqa: E402
from torch import nn, optim  # noqa: E402
from torch.utils.data import DataLoader  # noqa: E402

from nasbnn_det.engine.progress import SearchProgress  # noqa: E402
from nasbnn_det.engine.start_checks import check_training  # noqa: E402
from nasbnn_det.pipeline import Stage, run_pipeline  # noqa: E402
from nasbnn_det.visualization.run_log import read_run  # noqa: E402


@pytest.fixture
def clock(monkeypatch):
    """The system's clock, of which an hour can be taken: ``clock.behind = 3600``."""
    now, state = time.time, SimpleNamespace(behind=0)
    monkeypatch.setattr(time, 'time', lambda: now() - state.behind)
    return state


class Small(BaseModel):

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(1, 1)

    def forward(self, x, mode='loss'):
        return dict(loss=self.layer(x.float()[:, None]).square().sum())


def runner(work_dir, resume=False):
    model = Small()
    made = Runner(
        model, str(work_dir), DataLoader([dict(x=i) for i in range(3)]), train_cfg=dict(by_epoch=True, max_epochs=4),
        default_hooks=dict(checkpoint=dict(type='CheckpointHook', interval=1), logger=dict(type='LoggerHook', interval=1)),
        optim_wrapper=dict(optimizer=optim.SGD(model.parameters(), 1e-3)), resume=resume,
        experiment_name=f'{work_dir.name}{resume}')
    check_training(made)
    return made


class Stopped(Exception):
    """The user's Ctrl-C."""


class PutBack(Hook):
    """Takes an hour of the clock within the second epoch, keeps the time left, and stops in the third."""

    def __init__(self, clock):
        self.clock, self.left = clock, []

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter == 4:
            self.clock.behind = 3600
        if runner.iter == 7:
            raise Stopped

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.left.append(runner.message_hub.get_info('eta'))


def test_a_training_tells_times_above_zero_and_goes_on(clock, tmp_path):
    training, watch = runner(tmp_path), PutBack(clock)
    training.register_hook(watch, 'VERY_LOW')
    with pytest.raises(Stopped):
        training.train()
    assert len(watch.left) == 7 and all(left > 0 for left in watch.left)
    training = runner(tmp_path, resume=True)
    training.train()
    assert training.epoch == 4
    log = read_run(tmp_path)
    assert [row['step'] for row in log.train] == list(range(1, 13)) and all(row['time'] > 0 for row in log.train)
    assert 0 <= log.seconds < 1800


def test_a_search_still_says_how_far_it_is(clock):
    lines, scalars = [], []
    progress = SearchProgress(SimpleNamespace(info=lines.append), SimpleNamespace(
        add_scalars=lambda values, step: scalars.append(values)), 10, 0, interval=0.0)
    clock.behind = 3600
    progress.candidate(0.5)
    said, = scalars
    assert len(lines) == 1 and 0 < said['search/candidates_per_second'] < 1e8 and said['search/minutes_left'] > 0


def test_a_stage_of_a_pipeline_takes_no_less_than_no_time(tmp_path, monkeypatch):
    (tmp_path / 'stage.py').write_text('print("done")')
    hours = itertools.count(2e9, -3600)
    monkeypatch.setattr(time, 'time', lambda: next(hours))
    first, = run_pipeline([Stage('first', 'stage.py', ())], tmp_path, tmp_path / 'work', 'DATA')
    assert first['seconds'] >= 0
