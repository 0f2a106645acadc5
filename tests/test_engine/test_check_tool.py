"""tools/check.py: whether a training can begin, and what it takes."""
from pathlib import Path

import pytest

pytest.importorskip('mmdet')

from mmengine.config import Config  # noqa: E402
from mmengine.registry import init_default_scope  # noqa: E402
from mmengine.runner import save_checkpoint  # noqa: E402

from nasbnn_det.registry import MODELS  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
CONFIG = next((ROOT / 'configs').glob('detection/**/rtmdet_nasbnn-tiny_1xb16-8e_shapes-128.py'))


def check(run_tool, data, *args, options=()):
    return run_tool('tools/check.py', CONFIG, *args, '--data-root', data, '--cfg-options', 'train_dataloader.batch_size=2',
                    'train_dataloader.num_workers=0', 'val_dataloader.num_workers=0', *options)


def test_a_training_that_can_begin(run_tool, tiny_shapes, tmp_path):
    cfg = Config.fromfile(CONFIG)
    init_default_scope('mmdet')
    save_checkpoint(dict(state_dict=MODELS.build(cfg.model).state_dict()), str(tmp_path / 'whole.pth'))
    done = check(run_tool, tiny_shapes, tmp_path / 'whole.pth')
    assert done.returncode == 0, done.stderr
    said = dict(line.split(': ', 1) for line in done.stdout.splitlines() if ': ' in line)
    assert said['training'].endswith('5 classes (circle, square, triangle, star, cross)')
    assert said['model'] == 'BinaryRTMDet, 2.86M parameters'
    assert said['checkpoint'].endswith('holds exactly this model')
    assert ' s, about ' in said['steps'] and ' GB of memory' in said['steps']
    assert not (ROOT / 'work_dirs' / CONFIG.stem / 'vis_data').exists()


@pytest.mark.parametrize('option, sentence', [
    ('model.bbox_head.num_classes=7', 'num_classes is 7'),
    ('train_dataloader.dataset.ann_file=annotations/none.json', 'none.json'),
])
def test_one_sentence_where_it_cannot(run_tool, tiny_shapes, option, sentence):
    done = check(run_tool, tiny_shapes, '--no-timing', options=[option])
    errors = [line for line in done.stderr.splitlines() if line.startswith('error: ')]
    assert done.returncode == 1 and len(errors) == 1 and sentence in errors[0], done.stderr
