"""Mixed precision by the command line: what it makes of a config, and what it refuses."""
import pytest
import torch

pytest.importorskip('mmdet')

from detectors import batch, tiny_rtmdet  # noqa: E402
from mmengine.config import Config  # noqa: E402
from mmengine.optim import OptimWrapper  # noqa: E402

from nasbnn_det.cli import enable_amp  # noqa: E402
from nasbnn_det.engine.optim import CPUAmpOptimWrapper  # noqa: E402


def wrapper(**settings):
    """A config with an optimiser."""
    return Config(dict(optim_wrapper=dict(dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.1)), **settings)))


def test_the_type_is_that_of_the_machine():
    cfg = wrapper()
    enable_amp(cfg)
    expected = 'AmpOptimWrapper' if torch.cuda.is_available() else 'nasbnn_det.CPUAmpOptimWrapper'
    assert cfg.optim_wrapper.type == expected and cfg.optim_wrapper.optimizer.type == 'SGD'


@pytest.mark.parametrize('cfg', [
    Config(dict(optim_wrapper=dict(constructor='nasbnn_det.NASBOptimWrapperConstructor', weights={}, alphas={}))),
    wrapper(type='ApexOptimWrapper'), Config(dict())])
def test_a_training_with_other_optimisers_is_refused(cfg):
    with pytest.raises(ValueError, match='--amp is for trainings with one optimiser.* leave --amp out'):
        enable_amp(cfg)


def test_a_binary_detector_trains_in_bfloat16_as_in_full_precision():
    """The losses of the first step are those of full precision up to bfloat16's three digits."""
    logs, moved = [], []
    for kind in (CPUAmpOptimWrapper, OptimWrapper):
        net = tiny_rtmdet().train()
        before = {name: value.clone() for name, value in net.named_parameters()}
        logs.append(net.train_step(batch(), kind(torch.optim.SGD(net.parameters(), 0.01))))
        moved.append(sum(not torch.equal(value, before[name]) for name, value in net.named_parameters()))
        assert all(value.dtype == torch.float32 and torch.isfinite(value).all() for value in net.parameters())
    assert moved[0] >= 0.9 * moved[1] > 0
    assert logs[0]['loss'].item() == pytest.approx(logs[1]['loss'].item(), rel=0.1)
    assert logs[0]['loss'].item() != logs[1]['loss'].item()
