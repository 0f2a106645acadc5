"""QONNX files, executed by the qonnx package, give PyTorch's outputs; signs and 8-bit weights are nodes in them."""
from pathlib import Path

import numpy as np
import pytest
import torch
from c99_networks import shake
from torch import nn

onnx = pytest.importorskip('onnx')
pytest.importorskip('qonnx')

from nasbnn_det.arch import SPACES, Arch  # noqa: E402
from nasbnn_det.binary import BinaryConvModule, Stem  # noqa: E402
from nasbnn_det.deploy.qonnx_export import DOMAIN, export_qonnx  # noqa: E402
from nasbnn_det.supernet import Subnet, recalibrate_bn  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]


def small_network():
    torch.manual_seed(0)
    bricks = [BinaryConvModule(8, 8, 3, 2), BinaryConvModule(8, 12, 1), BinaryConvModule(12, 6, 1)]
    net = shake(nn.Sequential(Stem(3, 8, 2), *bricks))
    recalibrate_bn(net, [torch.randn(4, 3, 16, 16)])
    return net


def test_a_network_is_executed_as_in_pytorch(tmp_path):
    net = small_network()
    check = export_qonnx(net, tmp_path / 'n.onnx', (15, 18), dict(a=1), images=2)
    assert len(check.differences) == check.agreeing == 2 and 0 <= max(check.differences) < 1e-4
    graph = onnx.load(tmp_path / 'n.onnx').graph
    kinds = [(node.domain, node.op_type) for node in graph.node]
    # Of each binary layer the input's signs and the weight; of the stem its weight.
    assert kinds.count((DOMAIN, 'BipolarQuant')) == 6 and kinds.count((DOMAIN, 'Quant')) == 1
    assert {domain for domain, _ in kinds} == {'', DOMAIN}
    values = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == 'BipolarQuant':
            assert values[node.input[1]].tolist() == [1]
            if node.input[0] in values:
                assert set(np.unique(values[node.input[0]])) == {-1, 1}
        if node.op_type == 'Quant':
            assert values[node.input[3]] == 8 and values[node.input[2]] == 0
            levels = values[node.input[0]] / values[node.input[1]]
            assert np.abs(levels - levels.round()).max() < 1e-4 and np.abs(levels).max() > 1


def test_the_sign_of_zero_is_plus_one(tmp_path):
    """An input of zeros without shifts: every sign is decided at 0."""
    net = nn.Sequential(BinaryConvModule(3, 5, 3)).eval()
    export_qonnx(net, tmp_path / 'n.onnx', (6, 6), images=0)
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.core.onnx_exec import execute_onnx
    for zero in (0.0, -0.0):
        x = np.full((1, 3, 6, 6), zero, np.float32)
        with torch.no_grad():
            want = net(torch.from_numpy(x)).numpy()
        found, = execute_onnx(ModelWrapper(str(tmp_path / 'n.onnx')), dict(images=x)).values()
        assert np.abs(found - want).max() < 1e-5 < np.abs(want).max()


def test_a_file_that_computes_something_else_is_not_written(tmp_path, monkeypatch):
    from nasbnn_det.deploy import qonnx_export
    monkeypatch.setattr(qonnx_export, 'quantization_levels', lambda w, s: (w * 0 + 3, s.view(-1, 1, 1, 1)))
    with pytest.raises(ValueError, match='disagree by more than 0.0001 on 2 of 2 images'):
        export_qonnx(small_network(), tmp_path / 'n.onnx', (16, 16), images=2)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_classifier_on_20_images(tmp_path):
    torch.manual_seed(0)
    subnet = shake(Subnet(Arch.smallest(SPACES['tiny']), 10))
    recalibrate_bn(subnet, [torch.randn(8, 3, 32, 32)])
    assert export_qonnx(subnet, tmp_path / 'c.onnx', (32, 32)).agreeing == 20


@pytest.mark.slow
def test_a_detector(tmp_path):
    pytest.importorskip('mmdet')
    from detectors import tiny_rtmdet
    net = shake(tiny_rtmdet())
    recalibrate_bn(net, [torch.randn(4, 3, 64, 64)])
    assert export_qonnx(net, tmp_path / 'd.onnx', (64, 64), images=2).agreeing == 2


@pytest.mark.slow
def test_the_tool_writes_a_detector(tmp_path, run_tool):
    pytest.importorskip('mmdet')
    from mmengine.config import Config
    from mmengine.registry import init_default_scope

    from nasbnn_det.registry import MODELS
    config = ROOT / 'configs' / 'detection' / 'rtmdet' / 'rtmdet_nasbnn-tiny_1xb16-8e_shapes-128.py'
    cfg = Config.fromfile(config)
    init_default_scope('mmdet')
    torch.manual_seed(0)
    model = shake(MODELS.build(cfg.model))
    recalibrate_bn(model, [torch.randn(4, 3, 64, 64)])
    torch.save(model.state_dict(), tmp_path / 'd.pth')
    result = run_tool('tools/deploy/export_onnx.py', config, tmp_path / 'd.pth', tmp_path / 'd.onnx', '--qonnx',
                      '--shape', '64')
    assert result.returncode == 0, result.stderr
    assert 'of 20 images within 1e-4' in result.stdout
    outputs = [output.name for output in onnx.load(tmp_path / 'd.onnx').graph.output]
    assert outputs == [f'{branch}_{i}' for branch in ('cls', 'bbox') for i in range(3)]
