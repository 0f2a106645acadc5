"""Runtimes that the packed detector is compared with compute the network that was exported."""
import numpy as np
import pytest
import torch
from torch import nn

from nasbnn_det.deploy.onnx_export import export_onnx
from nasbnn_det.deploy.other_runtimes import onnxruntime_run, openvino_runs

pytest.importorskip('onnxruntime')


@pytest.fixture
def exported(tmp_path):
    torch.manual_seed(0)
    network, image = nn.Conv2d(3, 4, 3), torch.randn(1, 3, 32, 32)
    export_onnx(network, tmp_path / 'network.onnx', [tuple(image.shape)])
    return tmp_path / 'network.onnx', image.numpy(), network(image).detach().numpy()


def test_onnxruntime(exported):
    file, image, want = exported
    found, = onnxruntime_run(file, image, 1)()
    assert np.allclose(found, want, atol=1e-5)


def test_openvino(exported):
    pytest.importorskip('openvino')
    file, image, want = exported
    found, = openvino_runs(file, image, 1, ['f32'])['f32']().values()
    assert np.allclose(found, want, atol=1e-5)
