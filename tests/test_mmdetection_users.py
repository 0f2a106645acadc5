"""What users of MMDetection expect, as docs/mmdetection_users.md says it is done."""
import json
import re
import time
from pathlib import Path

import mmdet
import pytest
import torch

import nasbnn_det
from nasbnn_det.cli import read_config

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / 'docs' / 'mmdetection_users.md').read_text(encoding='utf-8')
MMDET_TOOLS = Path(mmdet.__file__).parent / '.mim' / 'tools'
NAME = 'detection/rtmdet/rtmdet_nasbnn-tiny_1xb16-8e_shapes-128.py'
DETECTOR = f'configs/{NAME}'


@pytest.fixture(scope='module')
def trained(tiny_shapes, tmp_path_factory, run_tool):
    """An epoch of the page's own config, written to a folder outside the project."""
    folder = tmp_path_factory.mktemp('elsewhere')
    config = folder / 'mine.py'
    config.write_text(next(text for text in re.findall(r'```python\n(.*?)```', PAGE, re.S) if '_base_' in text))
    loaders = [f'{part}_dataloader.{key}' for part in ('train', 'val') for key in ('num_workers=0', 'batch_size=2')]
    done = run_tool('tools/train.py', config, '--work-dir', folder / 'work', '--data-root', tiny_shapes, '--cfg-options',
                    *loaders, 'train_cfg.max_epochs=1', 'train_cfg.val_interval=1', 'default_hooks.logger.interval=1')
    assert done.returncode == 0, done.stderr
    return folder / 'work'


def test_a_config_is_found_by_its_name(tmp_path):
    path = tmp_path / 'mine.py'
    path.write_text(f"_base_ = 'nasbnn_det::{NAME}'\ntrain_cfg = dict(max_epochs=3)\n")
    cfg, own = read_config(path), read_config(ROOT / DETECTOR)
    assert cfg.train_cfg.max_epochs == 3 and cfg.model == own.model and '_scope_' not in str(cfg.train_dataloader)


def test_a_checkout_has_what_mim_looks_for():
    folder = Path(nasbnn_det.__file__).parent / '.mim'
    assert (folder / DETECTOR).samefile(ROOT / DETECTOR) and (folder / 'tools' / 'train.py').is_file()
    assert (folder / 'model-index.yml').samefile(ROOT / 'model-index.yml')


def test_print_config(run_tool):
    done = run_tool(MMDET_TOOLS / 'misc' / 'print_config.py', DETECTOR, '--cfg-options', 'train_cfg.max_epochs=77')
    assert done.returncode == 0, done.stderr
    assert 'max_epochs=77' in done.stdout and 'nasbnn_det.NASBNN' in done.stdout


def test_browse_dataset(tiny_shapes, tmp_path, run_tool):
    config = tmp_path / 'mine.py'
    data = dict(dataset=dict(data_root=str(tiny_shapes)))
    config.write_text(f'_base_ = {str(ROOT / DETECTOR)!r}\ntrain_dataloader = {data}\n')
    done = run_tool(MMDET_TOOLS / 'analysis_tools' / 'browse_dataset.py', config, '--output-dir', tmp_path / 'seen',
                    '--not-show')
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / 'seen').rglob('*.jpg'))) == 4


@pytest.mark.slow
def test_tensorboard(trained):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    file, = trained.rglob('events.out.tfevents.*')
    events = EventAccumulator(str(file))
    events.Reload()
    assert {'loss', 'coco/bbox_mAP'} <= set(events.Tags()['scalars'])
    rows = [json.loads(line) for line in next(trained.rglob('scalars.json')).read_text().splitlines()]
    assert [event.value for event in events.Scalars('loss')] == pytest.approx([row['loss'] for row in rows if 'loss' in row])


@pytest.mark.slow
def test_analyze_logs(trained, tmp_path, run_tool):
    picture = tmp_path / 'loss.png'
    done = run_tool(MMDET_TOOLS / 'analysis_tools' / 'analyze_logs.py', 'plot_curve', next(trained.rglob('scalars.json')),
                    '--keys', 'loss', '--out', picture)
    assert done.returncode == 0, done.stderr
    assert picture.read_bytes().startswith(b'\x89PNG')


@pytest.mark.slow
def test_publish_model(trained, tmp_path, run_tool):
    done = run_tool(MMDET_TOOLS / 'model_converters' / 'publish_model.py', trained / 'epoch_1.pth',
                    tmp_path / 'published.pth')
    assert done.returncode == 0, done.stderr
    while not (found := list(tmp_path.glob('published-*.pth'))):  # the tool doesn't wait for the renaming
        time.sleep(0.05)
    file, = found
    published, whole = (torch.load(path, weights_only=False) for path in (file, trained / 'epoch_1.pth'))
    assert 'optimizer' in whole and 'optimizer' not in published
    assert all(torch.equal(value, published['state_dict'][key]) for key, value in whole['state_dict'].items())


@pytest.mark.slow
def test_inferencer(trained, tiny_shapes):
    from mmdet.apis import DetInferencer
    image = str(next((tiny_shapes / 'val').glob('*.jpg')))
    found = DetInferencer(DETECTOR, str(trained / 'epoch_1.pth'), device='cpu', show_progress=False)(image)['predictions'][0]
    assert len(found['bboxes']) == len(found['scores']) == len(found['labels']) > 0 and set(found['labels']) <= set(range(5))
