"""The tool that exports a detector: names, sizes, what the file says about its input; bad input in one sentence."""
import json
from pathlib import Path

import numpy as np
import pytest
import torch

onnx = pytest.importorskip('onnx')
onnxruntime = pytest.importorskip('onnxruntime')
pytest.importorskip('mmdet')

from mmdet.utils import register_all_modules  # noqa: E402
from mmengine.config import Config  # noqa: E402
from mmengine.registry import init_default_scope  # noqa: E402

from nasbnn_det.registry import MODELS  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
CLASSES = ('circle', 'square', 'triangle', 'star', 'cross')
CONFIG = ROOT / 'configs' / 'detection' / 'rtmdet' / 'rtmdet_nasbnn-tiny_1xb16-8e_shapes-128.py'


@pytest.fixture(scope='module')
def detector():
    """The config's detector with random weights and statistics."""
    register_all_modules(init_default_scope=False)
    init_default_scope('mmdet')
    cfg = Config.fromfile(CONFIG).model
    cfg.backbone.init_cfg = None
    torch.manual_seed(0)
    model = MODELS.build(cfg).eval()
    model.init_weights()
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if 'running' in name:
                tensor += 0.5 * torch.rand(tensor.shape)
    return model


def save(detector, path):
    torch.save(dict(state_dict=detector.state_dict(), meta=dict(dataset_meta=dict(classes=CLASSES))), path)


def test_detector(detector, tmp_path, run_tool):
    save(detector, tmp_path / 'detector.pth')
    result = run_tool('tools/deploy/export_onnx.py', CONFIG, tmp_path / 'detector.pth', tmp_path / 'out' / 'detector.onnx',
                      '--shape', 96, 64)
    assert result.returncode == 0, result.stderr
    assert '(1, 3, 96, 64)' in result.stdout and '(2, 3, 49, 49)' in result.stdout
    path = tmp_path / 'out' / 'detector.onnx'
    session = onnxruntime.InferenceSession(str(path), providers=['CPUExecutionProvider'])
    assert [y.name for y in session.get_outputs()] == [f'{b}_{i}' for b in ('cls', 'bbox') for i in range(3)]
    x = torch.randn(3, 3, 71, 90, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        wanted = [level for branch in detector(x) for level in branch]
    for got, want in zip(session.run(None, {'images': x.numpy()}), wanted):
        assert got.shape == want.shape
        # A sign may turn where a value lies at its threshold: most places agree, not all of them must.
        assert np.mean(np.abs(got - want.numpy()) < 1e-3 * want.abs().mean().item()) > 0.9
    meta = {entry.key: json.loads(entry.value) for entry in onnx.load(str(path)).metadata_props}
    assert meta == dict(classes=list(CLASSES), preprocessing=dict(
        scale=[128, 128], keep_ratio=True, pad_size=None, pad_value=[0, 0, 0], mean=[127.5] * 3, std=[127.5] * 3,
        to_rgb=True, divisor=32))


def test_a_pipeline_that_the_file_has_no_words_for(detector, tmp_path, run_tool):
    """The file is written, and says what it knows."""
    config = tmp_path / 'config.py'
    config.write_text(f"""
_base_ = {str(CONFIG)!r}
test_dataloader = dict(dataset=dict(pipeline=[
    dict(type='LoadImageFromFile'), dict(type='CenterCrop', crop_size=(64, 64)), dict(type='PackDetInputs')]))
""")
    save(detector, tmp_path / 'detector.pth')
    result = run_tool('tools/deploy/export_onnx.py', config, tmp_path / 'detector.pth', tmp_path / 'd.onnx', '--detections',
                      '--shape', 64)
    assert result.returncode == 0, result.stderr
    assert 'metadata does not say how images are resized and padded' in result.stdout and 'CenterCrop' in result.stdout
    meta = {entry.key: json.loads(entry.value) for entry in onnx.load(str(tmp_path / 'd.onnx')).metadata_props}
    assert meta['preprocessing'] == dict(to_rgb=True, mean=[127.5] * 3, std=[127.5] * 3)


@pytest.mark.parametrize('out, options, message', [
    ('detector.pt', [], 'its name must end in .onnx'),
    ('detector.onnx', ['--shape', '16'], 'numbers of at least 32'),
    ('detector.onnx', [], 'does not exist'),
])
def test_bad_input_ends_in_one_sentence(tmp_path, out, options, message, run_tool):
    result = run_tool('tools/deploy/export_onnx.py', CONFIG, tmp_path / 'missing.pth', tmp_path / out, *options)
    assert result.returncode == 1
    assert message in result.stderr.splitlines()[-1] and 'Traceback' not in result.stderr
    assert not list(tmp_path.iterdir())
