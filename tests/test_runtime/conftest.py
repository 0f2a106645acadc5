"""What the runtime's tests share: every path of this machine."""

import pytest
import torch

from nasbnn_det.runtime import PATH_VARIABLE, available_paths


@pytest.fixture(params=available_paths())
def path(request, monkeypatch):
    """Runs a test once on each path."""
    monkeypatch.setenv(PATH_VARIABLE, request.param)
    return request.param


@pytest.fixture
def on_path(monkeypatch):
    """``on_path(NAME)`` chooses the path from there on."""
    return lambda name: monkeypatch.setenv(PATH_VARIABLE, name)


@pytest.fixture
def two_threads():
    """Two threads, however many the machine has."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)
