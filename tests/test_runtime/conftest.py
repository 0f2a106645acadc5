"""What the runtime's tests share: every instruction set of this machine."""

import pytest
import torch

from nasbnn_det.runtime import ISA_VARIABLE, available_isas


@pytest.fixture(params=available_isas())
def isa(request, monkeypatch):
    """Runs a test once on each instruction set."""
    monkeypatch.setenv(ISA_VARIABLE, request.param)
    return request.param


@pytest.fixture(params=available_isas()[:-1])
def kernels(request, monkeypatch):
    """Runs a test once on each instruction set that has kernels."""
    monkeypatch.setenv(ISA_VARIABLE, request.param)
    return request.param


@pytest.fixture
def on_isa(monkeypatch):
    """``on_isa(NAME)`` chooses the instruction set from there on."""
    return lambda name: monkeypatch.setenv(ISA_VARIABLE, name)


@pytest.fixture
def two_threads():
    """Two threads, however many the machine has."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """Config, model and folder of a detector with numbers as after a training; checkpoint and packed file are there."""
    pytest.importorskip('mmdet')
    from packed_detector import make
    return make(tmp_path_factory.mktemp('detector'))
