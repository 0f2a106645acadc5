"""The command line tools, ours and MMDetection's own, on a few images; bad input ends in one sentence."""
import json
import subprocess
import sys
from pathlib import Path

import mmdet
import mmengine
import pytest

ROOT = Path(__file__).resolve().parent.parent
DETECTOR = 'configs/detection/rtmdet/rtmdet_nasbnn-tiny_1xb16-8e_shapes-128.py'
SUPERNET = 'configs/supernet/nasbnn-supernet-tiny_1xb32-3e_shapes-48.py'
MMDET_TOOLS = Path(mmdet.__file__).parent / '.mim' / 'tools'


def run_process(*command):
    """The tool as a process of its own."""
    return subprocess.run([sys.executable, *map(str, command)], cwd=ROOT, capture_output=True, text=True)


def detector_options(root):
    options = [f'{loader}.{key}' for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader')
               for key in (f'dataset.data_root={root}', 'num_workers=0', 'persistent_workers=False', 'batch_size=2')]
    file = root / 'annotations' / 'instances_val.json'
    return ['--cfg-options', *options, f'val_evaluator.ann_file={file}', f'test_evaluator.ann_file={file}',
            'train_cfg.max_epochs=1', 'train_cfg.val_interval=1']


def tta_config(folder):
    """A detector's config with two flips at test time, an evaluator that has no file of its own, and no workers."""
    path = folder / 'tta.py'
    path.write_text(f'''
_base_ = {str(ROOT / DETECTOR)!r}
test_dataloader = dict(num_workers=0, batch_size=2)
test_evaluator = dict(_delete_=True, type='nasbnn_det.FastCocoMetric')
tta_model = dict(type='DetTTAModel', tta_cfg=dict(nms=dict(type='nms', iou_threshold=0.6), max_per_img=100))
tta_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='TestTimeAug', transforms=[
        [dict(type='Resize', scale=(128, 128), keep_ratio=True)],
        [dict(type='RandomFlip', prob=1.0), dict(type='RandomFlip', prob=0.0)],
        [dict(type='PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor', 'flip',
                                               'flip_direction'))]])]
''')
    return path


@pytest.mark.parametrize('tools', ['tools', MMDET_TOOLS], ids=['ours', 'mmdet'])
def test_detector_config_trains_and_tests(tools, tiny_shapes, tmp_path, run_tool):
    """MMDetection's own training in a process, where nothing of ours is imported before the config is read."""
    options = detector_options(tiny_shapes)
    run, tools = run_tool if tools == 'tools' else run_process, Path(tools)
    trained = run(tools / 'train.py', DETECTOR, '--work-dir', tmp_path, *options)
    assert trained.returncode == 0, trained.stderr
    tested = run_tool(tools / 'test.py', DETECTOR, tmp_path / 'epoch_1.pth', '--work-dir', tmp_path / 'test', '--out',
                      tmp_path / 'found.pkl', '--show-dir', 'drawn', *options)
    assert tested.returncode == 0, tested.stderr
    assert 'coco/bbox_mAP' in tested.stdout
    if run is run_tool:
        augmented = run_tool(tools / 'test.py', tta_config(tmp_path), tmp_path / 'epoch_1.pth', '--work-dir',
                             tmp_path / 'tta', '--tta', '--data-root', tiny_shapes)
        assert augmented.returncode == 0, augmented.stderr
        assert 'coco/bbox_mAP' in augmented.stdout
        assert 'coco/bbox_mAP' in json.loads((tmp_path / 'test' / 'result.json').read_text())['metrics']
    found = mmengine.load(tmp_path / 'found.pkl')
    assert len(found) == 4 and all(len(row['pred_instances']['scores']) for row in found)
    assert len(list((tmp_path / 'test').glob('*/drawn/*'))) == 4


def bad_inputs(tmp_path, root):
    wrong = tmp_path / 'wrong.pth'
    import torch
    torch.save(dict(state_dict={'a': torch.zeros(1)}), wrong)
    no_coco = tmp_path / 'no_coco.json'
    no_coco.write_text('{"images": 3}')
    data = detector_options(root)
    return {
        'unknown space': (['tools/train.py', SUPERNET, '--cfg-options', 'model.space=big'],
                          "unknown search space 'big'; allowed are cifar, imagenet, small, tiny"),
        'unknown setting': (['tools/train.py', SUPERNET, '--cfg-options', 'model.binarization.bi_transfrom=False'],
                            'a binarization has no bi_transfrom; allowed are type, weights, activations, shift'),
        "a tool's own": (['tools/analysis_tools/score_subnets.py', SUPERNET, wrong, '--num', '1'],
                         'a spread needs at least 2'),
        'no scores': (['tools/analysis_tools/rank_correlation.py', SUPERNET, no_coco], "can't be read as scores"),
        'wrong keys': (['tools/test.py', DETECTOR, wrong, *data], 'has wrong keys for this network'),
        'no augmentation': (['tools/test.py', DETECTOR, wrong, '--tta', *data], '--tta needs tta_model and tta_pipeline'),
        'too many guesses': (['tools/train.py', SUPERNET, '--cfg-options', 'val_evaluator.topk=1,6'],
                             'val_evaluator.topk is [1, 6], but there are 5 classes'),
        'no coco json': (['tools/train.py', DETECTOR, *data, f'train_dataloader.dataset.ann_file={no_coco}'],
                         str(no_coco)),
        'classes of the data': (['tools/train.py', DETECTOR, *data, 'model.bbox_head.num_classes=80'],
                                'model.bbox_head.num_classes is 80, but the data set has 5 classes'),
        'levels': (['tools/train.py', DETECTOR, *data, 'model.backbone.out_indices=3,4'],
                   'the levels have the strides [16, 32]'),
        'conv_cfg': (['tools/train.py', DETECTOR, *data, 'model.neck.type=DilatedEncoder',
                      'model.neck.conv_cfg.type=nasbnn_det.BinaryConv2d'], 'DilatedEncoder, which takes no conv_cfg'),
        'size': (['tools/analysis_tools/get_ops.py', DETECTOR, '--shape', '0'], '--shape is [0]; sizes in pixels'),
        'no config': (['tools/analysis_tools/get_ops.py', tmp_path / 'none.py'], 'none.py'),
        'shape': (['tools/analysis_tools/get_ops.py', DETECTOR, '--shape', '1', '2', '3'], '--shape has 3 numbers'),
        'no curve': (['tools/analysis_tools/compare_runs.py', f'a={tmp_path}', '--work-dir', tmp_path],
                     "has no 'coco/bbox_mAP' in its logs"),
        'illegal arch': (['tools/analysis_tools/get_ops.py', DETECTOR, '--cfg-options',
                          'model.backbone.arch.stages.0.0.channels=7'],
                         'stage 0, block 0: channels 7 is not among [24, 32]'),
    }


@pytest.mark.parametrize('case', [
    'unknown space', 'unknown setting', "a tool's own", 'no scores', 'wrong keys', 'no augmentation', 'too many guesses',
    'no coco json', 'classes of the data', 'levels', 'conv_cfg', 'shape', 'size', 'no config', 'no curve', 'illegal arch'])
def test_bad_input_ends_in_one_sentence(case, tiny_shapes, tmp_path, run_tool):
    command, message = bad_inputs(tmp_path, tiny_shapes)[case]
    if command[0] == 'tools/train.py':
        command = command[:2] + ['--work-dir', str(tmp_path / 'work')] + command[2:]
    done = (run_process if case == 'no config' else run_tool)(*command)
    errors = [line for line in done.stderr.splitlines() if line.startswith('error: ')]
    assert done.returncode == 1, done.stderr
    assert len(errors) == 1 and message in errors[0], done.stderr
    assert 'Traceback' not in done.stderr


def test_get_ops_prints_one_json_object(run_tool):
    done = run_tool('tools/analysis_tools/get_ops.py', DETECTOR, '--shape', '128', '128', '--json')
    result = json.loads(done.stdout.strip().splitlines()[-1])
    assert result['binary_share'] >= 0.95
    assert result['ops'] == pytest.approx(result['flops'] + result['bops'] / 64)
    assert {'flops', 'int8_ops', 'bops', 'ops', 'params', 'packed_bytes', 'modules', 'not_counted'} <= set(result)
    assert set(result['params']) == {'1bit', '8bit', '32bit'} and isinstance(result['packed_bytes'], int)


def test_get_ops_of_a_stock_detector(run_tool):
    config = MMDET_TOOLS.parent / 'configs' / 'rtmdet' / 'rtmdet_tiny_8xb32-300e_coco.py'
    done = run_tool('tools/analysis_tools/get_ops.py', config, '--shape', '64')
    assert done.returncode == 0, done.stderr
    assert 'total at 64 x 64' in done.stdout and 'not counted: batch norm' in done.stdout


def test_curves_of_several_runs(tmp_path, run_tool):
    for name, values in (('a0', (0.1, 0.3)), ('a1', (0.2, 0.5)), ('b', (0.4, 0.6))):
        folder = tmp_path / name / '1' / 'vis_data'
        folder.mkdir(parents=True)
        rows = [{'loss': 1.0, 'step': 7}] + [{'coco/bbox_mAP': v, 'step': 10 * (i + 1)} for i, v in enumerate(values)]
        torn = '{"loss": 0.9, "st'  # what a killed training was writing
        (folder / 'scalars.json').write_text('\n'.join([*map(json.dumps, rows), torn]))
    runs = [f'{name[0]}={tmp_path / name}' for name in ('a0', 'a1', 'b')]
    done = run_tool('tools/analysis_tools/compare_runs.py', *runs, '--work-dir', tmp_path / 'out')
    assert done.returncode == 0, done.stderr
    assert '| a | 0.150 ± 0.071 | 0.400 ± 0.141 |' in done.stdout and '| b | 0.400 | 0.600 |' in done.stdout
    assert json.loads((tmp_path / 'out' / 'result.json').read_text())['metrics'] == {'a': 0.4, 'b': 0.6}
    assert (tmp_path / 'out' / 'curves.png').is_file()


def test_the_evaluations_are_compared(run_tool):
    done = run_tool('tools/analysis_tools/benchmark_eval.py', '--images', '20', '--detections', '10')
    result = json.loads(done.stdout.strip().splitlines()[-1])
    assert result['equal'] and result['faster_seconds'] > 0


@pytest.mark.slow
@pytest.mark.parametrize('network, options', [
    ('supernet', ['--space', 'tiny', '--ops', '3e5', '5e5']), ('detector', ['--config', DETECTOR]), ('nasb', [])])
def test_training_steps_are_compared(network, options, tmp_path, run_tool):
    done = run_tool('tools/analysis_tools/benchmark_train.py', network, *options, '--size', '64', '--batch', '2',
                    '--rounds', '1', '--profile', tmp_path / 'table.txt')
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.strip().splitlines()[-1])
    assert result['time_to_plain'] > 0 and result['memory_gb']['ours'] >= 0
    assert 'Convolve' in (tmp_path / 'table.txt').read_text()


@pytest.mark.slow
def test_the_cost_of_training_is_drawn(tmp_path, run_tool):
    picture = tmp_path / 'cost.png'
    done = run_tool('tools/analysis_tools/plot_training_cost.py', '--batches', '2', '4', '--sizes', '32', '--size', '32',
                    '--batch', '4', '--rounds', '1', '--out', picture)
    assert done.returncode == 0, done.stderr
    found = json.loads(picture.with_suffix('.json').read_text())
    assert [line['batch'] for line in found['batch']] == [2, 4] and picture.stat().st_size > 10_000
    assert [(line['processes'], line['batch'], line['threads']) for line in found['processes']] == [(1, 4, 2), (2, 2, 1)]


def test_table_of_configs(tmp_path, run_tool):
    """A row per config, between the two lines of the README; the shipped one is complete."""
    import shutil
    shutil.copytree(ROOT / 'configs' / '_base_', tmp_path / 'configs' / '_base_')
    name = 'rtmdet/rtmdet_nasbnn-57m_8xb16-100e_coco-416.py'
    folder = tmp_path / 'configs' / 'detection'
    (folder / 'rtmdet').mkdir(parents=True)
    for file in (name, name.replace('57m', '57m-fp')):
        shutil.copy(ROOT / 'configs' / 'detection' / file, folder / file)
    shipped = (ROOT / 'configs' / 'detection' / 'README.md').read_text(encoding='utf-8')
    lines = [line for line in shipped.splitlines() if line.startswith('| [')]
    configs = {p.stem for p in (ROOT / 'configs' / 'detection').rglob('*.py') if '-fp_' not in p.name}
    assert {line[3:line.index(']')] for line in lines} == configs
    before, rest = shipped.split('| [', 1)[0], shipped.split('<!-- end of table -->')[1]
    (folder / 'README.md').write_text(f'{before}\n<!-- end of table -->{rest}', encoding='utf-8')
    done = run_tool('tools/analysis_tools/ops_table.py', '--configs', folder, '--readme', folder / 'README.md')
    assert done.returncode == 0, done.stderr
    text = (folder / 'README.md').read_text(encoding='utf-8')
    written = [line for line in text.splitlines() if line.startswith('| [')]
    assert written == [line for line in lines if name in line]


def test_scores_of_subnets_and_their_rank_correlation(tiny_shapes, tmp_path, run_tool):
    import torch
    from mmengine.config import Config

    from nasbnn_det.supernet import Supernet, save_supernet
    config, = (ROOT / 'configs/supernet/ablation').glob('nasbnn-supernet-small_1xb*.py')
    alone, = (ROOT / 'configs/finetune').glob('nasbnn-scratch_*-32.py')
    torch.manual_seed(0)
    save_supernet(tmp_path / 'supernet.pth', Supernet(Config.fromfile(config).space, 5))
    data = ['--cfg-options', *(f'{split}_dataloader.dataset.{key}' for split in ('train', 'val')
                               for key in (f'data_root={tiny_shapes}', f'data_prefix=cls/{split}')),
            'train_dataloader.batch_size=5', 'train_dataloader.num_workers=0',
            'train_dataloader.persistent_workers=False']
    scored = run_tool('tools/analysis_tools/score_subnets.py', config, tmp_path / 'supernet.pth', '--num', '3', '--packed',
                      '--batches', '2', '--work-dir', tmp_path, *data, 'model.num_classes=5',
                      'model.data_preprocessor.num_classes=5')
    assert scored.returncode == 0, scored.stderr
    summary = json.loads(scored.stdout.strip().splitlines()[-1])
    subnets = json.loads((tmp_path / 'scores.json').read_text())['subnets']
    assert summary['num'] == len(subnets) == 3
    assert summary['mean'] == pytest.approx(sum(row['score'] for row in subnets) / 3)
    command = ['tools/analysis_tools/rank_correlation.py', alone, tmp_path / 'scores.json', '--num', '3', '--work-dir',
               tmp_path / 'alone', *data, 'model.head.num_classes=5', 'model.data_preprocessor.num_classes=5',
               'train_cfg.max_epochs=1', 'train_cfg.val_interval=1']
    first = run_tool(*command)
    assert first.returncode == 0, first.stderr
    result = json.loads(first.stdout.strip().splitlines()[-1])
    assert len(result['alone']) == 3 and sorted(result['inherited']) == sorted(row['score'] for row in subnets)
    # After one epoch on a few images all may know as much, so that there is no order and tau no number.
    ordered = len(set(result['alone'])) > 1 and len(set(result['inherited'])) > 1
    assert ordered == (result['kendall_tau'] == result['kendall_tau'])
    # What is trained is not trained again.
    again = run_tool(*command)
    assert 'Epoch(train)' not in again.stdout and json.loads(again.stdout.strip().splitlines()[-1]) == result


def test_the_spread_of_tau_tells_a_sure_order_from_an_unsure_one(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / 'tools' / 'analysis_tools'))
    from rank_correlation import spread_of_tau
    assert spread_of_tau(range(8), range(8)) == pytest.approx(0, abs=1e-9)
    assert 0.1 < spread_of_tau(range(8), [1, 0, 3, 2, 5, 4, 7, 6]) < spread_of_tau(range(8), [3, 6, 1, 7, 0, 5, 2, 4])


def test_detections_are_drawn_where_they_are(tmp_path, monkeypatch):
    """Truth and prediction stand in pixels of the file, whatever the image was resized to for the network."""
    import cv2
    import numpy as np
    import torch
    from mmdet.structures import DetDataSample
    from mmengine.structures import InstanceData
    monkeypatch.syspath_prepend(str(ROOT / 'tools' / 'analysis_tools'))
    import draw_detections
    cv2.imwrite(str(tmp_path / 'black.png'), np.zeros((240, 320, 3), np.uint8))
    sample = DetDataSample(metainfo=dict(img_path=str(tmp_path / 'black.png'), scale_factor=(0.5, 0.5)))
    boxes = torch.tensor([[80., 60, 240, 180]])
    sample.gt_instances = InstanceData(bboxes=boxes, labels=torch.tensor([0]))
    sample.pred_instances = InstanceData(bboxes=boxes, labels=torch.tensor([0]), scores=torch.tensor([0.9]))
    scale = draw_detections.TILE / 320
    for drawn in draw_detections.pair(sample, ['thing'], 0.3):
        rows, columns = np.nonzero(drawn[int(70 * scale):].any(2))  # below the name
        assert abs(columns.min() - 80 * scale) < 4 and abs(columns.max() - 240 * scale) < 4
        assert abs(rows.max() + int(70 * scale) - 180 * scale) < 4


def test_an_extraction_replaces_no_architecture_but_its_own(tmp_path, monkeypatch):
    from nasbnn_det.arch import SPACES, Arch
    monkeypatch.syspath_prepend(str(ROOT / 'tools' / 'model_converters'))
    import extract_subnet
    place = tmp_path / 'arch.json'
    assert extract_subnet._arch_file(tmp_path / 'subnet.pth') == place
    place.write_text(Arch.smallest(SPACES['tiny']).to_json() + '\n')
    assert extract_subnet._arch_file(tmp_path / 'subnet.pth') == place
    for text in (json.dumps(Arch.smallest(SPACES['tiny']).to_dict(), indent=1), '{"mine": 1}', ''):
        place.write_text(text)
        with pytest.raises(ValueError, match=f"'{place}' is there already, of another make"):
            extract_subnet._arch_file(tmp_path / 'subnet.pth')
    with pytest.raises(ValueError, match='is a folder; name a checkpoint'):
        extract_subnet._arch_file(tmp_path)
