"""ONNX files: same numbers as PyTorch at any size, the one sign rule, standard operators."""
import json

import numpy as np
import pytest
import torch
from torch import nn

onnx = pytest.importorskip('onnx')
onnxruntime = pytest.importorskip('onnxruntime')

from nasbnn_det.arch import SPACES, Arch  # noqa: E402
from nasbnn_det.binary import BinaryConv2d, BinaryConvModule, RSign, get_binarization  # noqa: E402
from nasbnn_det.deploy.onnx_export import export_onnx, plain_form  # noqa: E402
from nasbnn_det.supernet.subnet import Subnet  # noqa: E402


def shaken(model):
    """A network whose numbers are all different from their initial ones, in evaluation mode."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for tensor in (*model.parameters(), *(b for n, b in model.named_buffers() if 'running' in n)):
            tensor += 0.1 * torch.rand(tensor.shape, generator=generator)
    return model.eval()


def run(path, x):
    """Outputs of a file by name."""
    session = onnxruntime.InferenceSession(str(path), providers=['CPUExecutionProvider'])
    return dict(zip((y.name for y in session.get_outputs()), session.run(None, {'images': x.numpy()})))


def test_sign_of_zeros_is_plus_one(tmp_path):
    export_onnx(RSign(3, get_binarization('reactnet')), tmp_path / 'sign.onnx', [(1, 3, 4, 4)])
    values = torch.tensor([0.0, -0.0, 1e-45, -1e-45, 3, -3]).view(1, 1, 2, 3).repeat(1, 3, 1, 1)
    out = run(tmp_path / 'sign.onnx', values)['output']
    assert np.array_equal(out[0, 0].ravel(), [1, 1, 1, -1, 1, -1])


@pytest.mark.parametrize('size', [(8, 8), (7, 9), (1, 1), (2, 5), (13, 4)])
@pytest.mark.parametrize('stride', [1, 2, 3])
@pytest.mark.parametrize('channels', [(6, 6), (6, 15), (15, 6)])
def test_brick_at_other_sizes_than_the_traced_one(tmp_path, size, stride, channels):
    brick = shaken(BinaryConvModule(*channels, stride=stride, groups=3))
    export_onnx(brick, tmp_path / 'brick.onnx', [(1, channels[0], 8, 8)])
    x = torch.randn(2, channels[0], *size, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        np.testing.assert_allclose(run(tmp_path / 'brick.onnx', x)['output'], brick(x).numpy(), rtol=1e-5, atol=1e-5)


def test_binary_weights_are_constants_of_one_magnitude(tmp_path):
    conv = shaken(BinaryConv2d(5, 4, 3, padding=1, binarization='nasbnn'))
    export_onnx(conv, tmp_path / 'conv.onnx', [(1, 5, 6, 6)])
    graph = onnx.load(str(tmp_path / 'conv.onnx')).graph
    weight, = (onnx.numpy_helper.to_array(t) for t in graph.initializer if len(t.dims) == 4)
    assert np.array_equal(weight, conv.binary_weight().detach().numpy())
    assert {'GreaterOrEqual', 'Where', 'Conv'} <= {node.op_type for node in graph.node}


def test_classifier(tmp_path):
    net = shaken(Subnet(Arch.smallest(SPACES['tiny']), 5))
    checks = export_onnx(net, tmp_path / 'net.onnx', [(1, 3, 48, 48), (3, 3, 33, 47)], dict(classes=5))
    assert [check.shape for check in checks] == [(1, 3, 48, 48), (3, 3, 33, 47)]
    assert all(check.largest < 1e-3 for check in checks)
    model = onnx.load(str(tmp_path / 'net.onnx'))
    assert {entry.key: json.loads(entry.value) for entry in model.metadata_props} == dict(classes=5)
    assert not any(node.domain for node in model.graph.node)


def test_model_is_not_changed_and_sharing_is_kept():
    conv = BinaryConv2d(4, 4, 3, padding=1)
    model = nn.Sequential(BinaryConvModule(4, 4, conv=conv), BinaryConvModule(4, 4, conv=conv)).train()
    plain = plain_form(model)
    assert plain[0].conv is plain[1].conv and not isinstance(plain[0].conv, BinaryConv2d)
    assert model[0].conv is conv and model.training and not plain.training


def test_refusals(tmp_path):
    class Odd(nn.Module):

        def forward(self, x):
            return {'map': x}

    with pytest.raises(ValueError, match='one output tensor'):
        export_onnx(Odd(), tmp_path / 'odd.onnx', [(1, 3, 4, 4)])
    assert not list(tmp_path.iterdir())


def test_disagreement_is_found(tmp_path):
    class Frozen(nn.Module):
        """Knows only the size that was traced."""

        def forward(self, x):
            return x * float(x.mean())

    with pytest.raises(ValueError, match='disagree'):
        export_onnx(Frozen(), tmp_path / 'frozen.onnx', [(1, 3, 8, 8), (2, 3, 5, 9)])
    assert not list(tmp_path.iterdir())
