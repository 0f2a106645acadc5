"""The command line tools, ours and MMDetection's own, on a few images; bad input ends in one sentence."""
import json
import subprocess
import sys
from pathlib import Path

import mmdet
import pytest

ROOT = Path(__file__).resolve().parent.parent
DETECTOR = 'configs/detection/rtmdet_nasbnn-tiny_1xb16-9e_shapes-128px.py'
SUPERNET = 'configs/supernet/nasbnn-supernet-tiny_1xb32-3e_shapes-48px.py'
MMDET_TOOLS = Path(mmdet.__file__).parent / '.mim' / 'tools'


def run(*command):
    return subprocess.run([sys.executable, *map(str, command)], cwd=ROOT, capture_output=True, text=True)


def detector_options(root):
    options = [f'{loader}.{key}' for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader')
               for key in (f'dataset.data_root={root}', 'num_workers=0', 'persistent_workers=False', 'batch_size=2')]
    file = root / 'annotations' / 'instances_val.json'
    return ['--cfg-options', *options, f'val_evaluator.ann_file={file}', f'test_evaluator.ann_file={file}',
            'train_cfg.max_epochs=1', 'train_cfg.val_interval=1']


@pytest.mark.parametrize('tools', [ROOT / 'tools', MMDET_TOOLS], ids=['ours', 'mmdet'])
def test_detector_config_trains_and_tests(tools, tiny_shapes, tmp_path):
    options = detector_options(tiny_shapes)
    trained = run(tools / 'train.py', DETECTOR, '--work-dir', tmp_path, *options)
    assert trained.returncode == 0, trained.stderr
    tested = run(tools / 'test.py', DETECTOR, tmp_path / 'epoch_1.pth', '--work-dir', tmp_path / 'test', *options)
    assert tested.returncode == 0, tested.stderr
    assert 'coco/bbox_mAP' in tested.stdout
    if tools == ROOT / 'tools':
        assert 'coco/bbox_mAP' in json.loads((tmp_path / 'test' / 'result.json').read_text())['metrics']


def bad_inputs(tmp_path, root):
    wrong = tmp_path / 'wrong.pth'
    import torch
    torch.save(dict(state_dict={'a': torch.zeros(1)}), wrong)
    no_coco = tmp_path / 'no_coco.json'
    no_coco.write_text('{"images": 3}')
    data = detector_options(root)
    return {
        'unknown space': (['tools/train.py', SUPERNET, '--cfg-options', 'model.space=big'],
                          "unknown search space 'big'; allowed are cifar, imagenet, tiny"),
        'unknown setting': (['tools/train.py', SUPERNET, '--cfg-options', 'model.binarization.bi_transfrom=False'],
                            'binarization has no bi_transfrom; allowed are bi_transform, weight_norm'),
        "a tool's own": (['tools/analysis_tools/score_subnets.py', SUPERNET, wrong, '--num', '1'],
                         'a spread needs at least 2'),
        'no scores': (['tools/analysis_tools/rank_correlation.py', SUPERNET, no_coco], "can't be read as scores"),
        'wrong keys': (['tools/test.py', DETECTOR, wrong, *data], 'has wrong keys for this network'),
        'no coco json': (['tools/train.py', DETECTOR, *data, f'train_dataloader.dataset.ann_file={no_coco}'],
                         str(no_coco)),
        'illegal arch': (['tools/analysis_tools/get_ops.py', DETECTOR, '--cfg-options',
                          'model.backbone.arch.stages.0.0.channels=7'],
                         'stage 0, block 0: channels 7 is not among [24, 32]'),
    }


@pytest.mark.parametrize('case', ['unknown space', 'unknown setting', "a tool's own", 'no scores', 'wrong keys', 'no coco json',
                                  'illegal arch'])
def test_bad_input_ends_in_one_sentence(case, tiny_shapes, tmp_path):
    command, message = bad_inputs(tmp_path, tiny_shapes)[case]
    if command[0] == 'tools/train.py':
        command = command[:2] + ['--work-dir', str(tmp_path / 'work')] + command[2:]
    done = run(*command)
    errors = [line for line in done.stderr.splitlines() if line.startswith('error: ')]
    assert done.returncode == 1, done.stderr
    assert len(errors) == 1 and message in errors[0], done.stderr
    assert 'Traceback' not in done.stderr


def test_get_ops_prints_one_json_object():
    done = run('tools/analysis_tools/get_ops.py', DETECTOR, '--shape', '128', '128', '--json')
    result = json.loads(done.stdout.strip().splitlines()[-1])
    assert result['binary_share'] >= 0.95
    assert result['ops'] == pytest.approx(result['flops'] + result['bops'] / 64)


def test_scores_of_subnets_and_their_rank_correlation(tiny_shapes, tmp_path):
    import torch
    from mmengine.config import Config
    from nasbnn_det.supernet import Supernet, save_supernet
    config, = (ROOT / 'configs/supernet/ablation').glob('nasbnn-supernet-small_1xb*.py')
    alone, = (ROOT / 'configs/finetune').glob('*_scratch.py')
    torch.manual_seed(0)
    save_supernet(tmp_path / 'supernet.pth', Supernet(Config.fromfile(config).space, 5))
    data = ['--cfg-options', *(f'{split}_dataloader.dataset.{key}' for split in ('train', 'val')
                               for key in (f'data_root={tiny_shapes}', f'data_prefix=cls/{split}')),
            'train_dataloader.batch_size=5', 'train_dataloader.num_workers=0',
            'train_dataloader.persistent_workers=False']
    scored = run('tools/analysis_tools/score_subnets.py', config, tmp_path / 'supernet.pth', '--num', '3', '--batches', '2',
                 '--work-dir', tmp_path, *data, 'model.num_classes=5', 'model.data_preprocessor.num_classes=5')
    assert scored.returncode == 0, scored.stderr
    summary = json.loads(scored.stdout.strip().splitlines()[-1])
    subnets = json.loads((tmp_path / 'scores.json').read_text())['subnets']
    assert summary['num'] == len(subnets) == 3
    assert summary['mean'] == pytest.approx(sum(row['score'] for row in subnets) / 3)
    command = ['tools/analysis_tools/rank_correlation.py', alone, tmp_path / 'scores.json', '--num', '2', '--work-dir',
               tmp_path / 'alone', *data, 'model.head.num_classes=5', 'model.data_preprocessor.num_classes=5',
               'train_cfg.max_epochs=1', 'train_cfg.val_interval=1']
    first = run(*command)
    assert first.returncode == 0, first.stderr
    result = json.loads(first.stdout.strip().splitlines()[-1])
    assert len(result['alone']) == 2 and set(result['inherited']) <= {row['score'] for row in subnets}
    # What is trained is not trained again.
    again = run(*command)
    assert 'Epoch(train)' not in again.stdout and json.loads(again.stdout.strip().splitlines()[-1]) == result
