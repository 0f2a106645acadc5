"""The end of the demo on a small detector: packed, timed, drawn with; a benchmark of a file of one's own."""
import copy
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

pytest.importorskip('mmdet')

from mmengine.config import Config  # noqa: E402
from mmengine.registry import MODELS, init_default_scope  # noqa: E402
from mmengine.runner import save_checkpoint  # noqa: E402

from nasbnn_det.deploy.packing import pack_checkpoint  # noqa: E402
from nasbnn_det.pipeline import Stage, run_pipeline, write_report  # noqa: E402
from nasbnn_det.pipeline import stages as shared  # noqa: E402
from nasbnn_det.runtime import PackedDetector, save_packed  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]
CONFIG = 'configs/detection/rtmdet/rtmdet_nasbnn-tiny_1xb16-8e_shapes-128.py'


@pytest.fixture(scope='module')
def work_dir(tmp_path_factory):
    """A run whose detector is trained: the stage's folder holds a checkpoint of random weights."""
    folder = tmp_path_factory.mktemp('run')
    init_default_scope('mmdet')
    torch.manual_seed(0)
    model = MODELS.build(Config.fromfile(ROOT / CONFIG).model)
    (folder / 'detector').mkdir()
    meta = dict(dataset_meta=dict(classes=('circle', 'square', 'triangle', 'star', 'cross')))
    save_checkpoint(dict(state_dict=model.state_dict(), meta=meta), str(folder / 'detector' / 'epoch_8.pth'))
    (folder / 'detector' / 'last_checkpoint').write_text('epoch_8.pth')
    return folder


@pytest.fixture(scope='module')
def file(work_dir):
    cfg = Config.fromfile(ROOT / CONFIG)
    save_packed(work_dir / 'd.safetensors', pack_checkpoint(copy.deepcopy(cfg), work_dir / 'detector' / 'epoch_8.pth'))
    return work_dir / 'd.safetensors'


def trained(work_dir, data):
    """What the pipeline's record of the training would be, and the stages behind it."""
    tool = 'tools/dataset_converters/shapes_coco.py'
    first = Stage('detector', tool)
    (work_dir / 'detector' / 'stage.json').write_text(json.dumps(dict(
        name='detector', seconds=1.0, command=[tool], metrics={}, ops={}, files=[],
        fingerprint=first.fingerprint([], [], ''), finished=1.0)))
    return [first, *(Stage(**row) for row in shared.packing(CONFIG, shared.detector_data(str(data))))]


@pytest.mark.slow
def test_the_demo_ends_packed(work_dir, tiny_shapes):
    stages = trained(work_dir, tiny_shapes)
    records = run_pipeline(stages, ROOT, work_dir, str(tiny_shapes))
    write_report(records, work_dir)
    report = json.loads((work_dir / 'report.json').read_text())
    packing, pictures = report['stages'][1:]
    file = work_dir / 'packing' / 'detector.safetensors'
    assert packing['files'] == ['packing/detector.safetensors'] and pictures['files'] == ['packed_pictures/detections.png']
    metrics = packing['metrics']
    assert set(metrics) == {'megabytes', 'milliseconds', 'threads'} and metrics['threads'] == 1
    assert metrics['megabytes'] == pytest.approx(file.stat().st_size / 1e6, abs=1e-4) and metrics['milliseconds'] > 0.1
    assert len(PackedDetector(file)(np.zeros((64, 64, 3), np.uint8)).scores)
    assert cv2.imread(str(work_dir / 'packed_pictures' / 'detections.png')).shape[0] > 256
    page = (work_dir / 'report.md').read_text()
    assert '![detections](packed_pictures/detections.png)' in page and 'megabytes' in page and 'milliseconds' in page
    # A run that was killed in its last stages does those again, and no other.
    for name in ('packing', 'packed_pictures'):
        (work_dir / name / 'stage.json').unlink()
    file.write_bytes(b'half of a file')
    again = run_pipeline(stages, ROOT, work_dir, str(tiny_shapes))
    assert again[0] == records[0] and [r['name'] for r in again] == ['detector', 'packing', 'packed_pictures']
    PackedDetector(file)


def test_the_demo_s_stages():
    names = [stage['name'] for stage in Config.fromfile(ROOT / 'configs' / 'pipelines' / 'demo.py').stages]
    assert names[-3:] == ['pictures', 'packing', 'packed_pictures']


@pytest.mark.parametrize('agnostic', [False, True])
def test_a_packed_file_draws(agnostic, work_dir, tiny_shapes, tmp_path, run_tool):
    """By itself, and, if it can't, in its config's model."""
    config = tmp_path / 'config.py'
    config.write_text(f'_base_ = {str(ROOT / CONFIG)!r}\nmodel = dict(test_cfg=dict(nms=dict(class_agnostic={agnostic})))\n')
    data, file = f'test_dataloader.dataset.data_root={tiny_shapes}', tmp_path / 'run' / 'd.safetensors'
    done = run_tool('tools/deploy/pack.py', config, work_dir / 'detector' / 'epoch_8.pth', file,
                    *([] if agnostic else ['--time', 3]), '--cfg-options', data)
    assert done.returncode == 0, done.stderr
    assert ('does not stand by itself' in done.stdout) is agnostic
    result = file.with_name('result.json')
    assert result.exists() is not agnostic
    if not agnostic:
        assert json.loads(result.read_text())['files'] == ['run/d.safetensors'] and 'ms an image' in done.stdout
    drawn = run_tool('tools/analysis_tools/draw_detections.py', config, file, '--out', tmp_path / 'drawn.png', '--num', 2,
                     '--score-thr', 0, '--cfg-options', data)
    assert drawn.returncode == 0, drawn.stderr
    assert cv2.imread(str(tmp_path / 'drawn.png')) is not None


def test_packing_refuses_before_it_writes(work_dir, tmp_path, run_tool):
    """A result.json of somebody else's, no image at all, a file that can't run by itself."""
    config = tmp_path / 'crop.py'
    config.write_text(f"""
_base_ = {str(ROOT / CONFIG)!r}
test_dataloader = dict(dataset=dict(pipeline=[
    dict(type='LoadImageFromFile'), dict(type='CenterCrop', crop_size=(64, 64)), dict(type='PackDetInputs')]))
""")
    (tmp_path / 'theirs').mkdir()
    (tmp_path / 'theirs' / 'result.json').write_text('[]')
    for folder, options, message in (('theirs', ['--time', 2], 'no result of this project'),
                                     ('new', ['--time', 0], '--time is 0; at least one image'),
                                     ('new', ['--time', 2], 'can not be timed by itself (its test pipeline')):
        done = run_tool('tools/deploy/pack.py', config, work_dir / 'detector' / 'epoch_8.pth',
                        tmp_path / folder / 'd.safetensors', *options)
        assert done.returncode == 1 and message in done.stderr.splitlines()[-1], done.stderr
        assert not list(tmp_path.rglob('*.safetensors'))


def test_a_file_of_one_s_own_is_timed(file, tiny_shapes, run_tool):
    image = min((tiny_shapes / 'val').glob('*.jpg'))
    done = run_tool('tools/analysis_tools/benchmark_packed.py', file, image, '--rounds', 3, '--threads', 1)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert set(found['parts']) == {'preparation', 'network', 'decoding'} and min(found['parts'].values()) > 0
    assert found['threads'] == 1 and found['rounds'] == 3 and found['file_bytes'] == file.stat().st_size
    assert found['boxes'] == len(PackedDetector(file)(image).scores) > 0
    assert found['image_size'] == [64, 64] and found['input_size'] == [128, 128]


def test_bad_input_of_the_benchmark(file, tmp_path, run_tool):
    missing = tmp_path / 'missing.jpg'
    for args, message in (([file], 'no image is given to time'), ([file, missing], "missing.jpg' does not exist"),
                          ([CONFIG, missing], 'an image is for a packed file'),
                          ([tmp_path / 'd.safetensors', missing], "d.safetensors")):
        done = run_tool('tools/analysis_tools/benchmark_packed.py', *args)
        assert done.returncode == 1 and message in done.stderr.splitlines()[-1] and 'Traceback' not in done.stderr
