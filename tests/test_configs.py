"""Every shipped config says what its name says and builds, and each kind runs a training and an evaluation step through
MMEngine's Runner."""
import copy
import re
from functools import lru_cache
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

from nasbnn_det.arch import SPACES, Arch, Front, get_space, load_arch
from nasbnn_det.binary import BinaryConv2d
from nasbnn_det.costs import count_ops
from nasbnn_det.costs.module_ops import count_model_ops, total
from nasbnn_det.costs.report import build_model, input_size, report_model
from nasbnn_det.datasets.shapes import CLASSES
from nasbnn_det.engine.optim import parameter_groups
from nasbnn_det.pipeline import load_stages
from nasbnn_det.pipeline.stage import StageFolder
from nasbnn_det.supernet import Supernet, extract_subnet, save_subnet

ROOT = Path(__file__).resolve().parent.parent
CONFIGS = sorted(p.relative_to(ROOT).as_posix() for p in (ROOT / 'configs').rglob('*.py') if '_base_' not in p.parts)
# How those of NASB are trained is tested in tests/test_nasb/test_nasb_configs.py.
DETECTORS = [c for c in CONFIGS if c.startswith('configs/detection/')]
SUPERNETS = [c for c in CONFIGS if c.startswith('configs/supernet/')]
SEARCHES = [c for c in CONFIGS if c.startswith('configs/search/')]
FINETUNES = [c for c in CONFIGS if c.startswith('configs/finetune/')]
#: Large images would take minutes; the network and the loop are what is tested.
SIZE = 32
DETECTOR_SIZE = 64
#: Of detectors that differ in the backbone's width or the images alone, these are trained in the fast tests.
TRAINED = ('rtmdet_nasbnn-tiny_1xb16-10e', 'rtmdet_nasbnn-tiny-distilled', 'retinanet_nasbnn-57m_fpn_8xb16-100e_coco',
           'ssd_nasbnn-57m_8xb16-100e_coco', 'faster-rcnn_bireal-r18_fpn_1xb16-72e_voc', 'faster-rcnn_nasbnn-tiny')
#: METHOD_PROCESSESxbBATCH-EPOCHSe_DATA-SIZE; a search has no epochs.
NAME = re.compile(
    r'(?P<method>.+?)(_(?P<processes>\d+)xb(?P<batch>\d+)-(?P<epochs>\d+)e)?_(?P<data>[a-z0-9-]+)-(?P<size>\d+)')
PIPELINES = [c for c in CONFIGS if c.startswith('configs/pipelines/')]


@lru_cache(maxsize=None)
def parsed(path):
    return Config.fromfile(ROOT / path)


def read(path):
    """The config, parsed once and the caller's own."""
    return copy.deepcopy(parsed(path))


def load(path, data_root, work_dir):
    """The config with a few images of five shapes in place of its own data."""
    cfg = read(path)
    cfg.work_dir = str(work_dir)
    cfg.default_hooks.checkpoint = None
    cfg.train_cfg.update(max_epochs=1, val_interval=1)
    for split, name in (('train', 'train_dataloader'), ('val', 'val_dataloader'), ('val', 'test_dataloader')):
        if name in cfg:
            cfg[name].update(batch_size=2, num_workers=0, persistent_workers=False)
            if path in DETECTORS:
                use_shapes(cfg, name, split, data_root)
            else:
                cfg[name].dataset.data_root = str(data_root)
                cfg[name].dataset = dict(
                    type='CustomDataset', data_root=str(data_root), data_prefix=f'cls/{split}', indices=4,
                    pipeline=[shrunk(step) for step in with_loading(cfg[name].dataset.pipeline)])
    if path in FINETUNES:
        arch = Arch.smallest(SPACES['tiny'] if 'in1k' not in path else SPACES['imagenet'])
        rules = cfg.model.backbone.get('binarization', 'nasbnn')
        net = extract_subnet(Supernet(arch.space, len(CLASSES), rules), arch)
        (work_dir / 'arch.json').write_text(arch.to_json())
        save_subnet(work_dir / 'subnet.pth', net)
        for part in (cfg.model.backbone, cfg.model.head):
            part.init_cfg = dict(type='Pretrained', checkpoint=str(work_dir / 'subnet.pth'))
        last = (len(arch.stages) - 1, )
        cfg.model.backbone.update(arch=str(work_dir / 'arch.json'), out_indices=last)
        cfg.model.head.num_classes = len(CLASSES)
        cfg.model.data_preprocessor.num_classes = len(CLASSES)
    elif path in DETECTORS:
        head = cfg.model.roi_head.bbox_head if 'roi_head' in cfg.model else cfg.model.bbox_head
        head.num_classes = len(CLASSES)
        cfg.model.test_cfg.get('rcnn', cfg.model.test_cfg).score_thr = 0.0  # an untrained detector is not sure of anything
        if cfg.model.get('teacher_config'):
            teacher = load(str(Path(cfg.model.teacher_config).relative_to(ROOT)), data_root, work_dir)
            cfg.model.update(teacher_config=dict(model=teacher.model), teacher_ckpt=str(work_dir / 'teacher.pth'))
            torch.save(dict(state_dict=build_model(teacher).state_dict()), work_dir / 'teacher.pth')
    else:
        cfg.model.num_classes = cfg.model.data_preprocessor.num_classes = len(CLASSES)
    return cfg


def use_shapes(cfg, name, split, data_root):
    """Puts a few small images with shapes in place of a detector's data; its pipeline stays, at a smaller size."""
    dataset = cfg[name].dataset
    while 'pipeline' not in dataset:
        dataset = dataset.get('dataset') or dataset.datasets[0]
    if cfg.val_evaluator.type == 'VOCMetric':
        cfg.val_evaluator = dict(type='nasbnn_det.FastCocoMetric')
    cfg.test_evaluator = cfg.val_evaluator
    cfg[name].dataset = dict(
        type='nasbnn_det.ShapesCocoDataset', data_root=str(data_root), data_prefix=dict(img=f'{split}/'),
        ann_file=f'annotations/instances_{split}.json', test_mode=split == 'val', indices=4,
        pipeline=[shrunk(step, DETECTOR_SIZE) for step in dataset.pipeline])


def with_loading(pipeline):
    """A pipeline that begins with loading; data sets that hold arrays have none."""
    loads = any('LoadImage' in step['type'] for step in pipeline)
    return pipeline if loads else [dict(type='LoadImageFromFile'), *pipeline]


def shrunk(step, size=SIZE):
    """A step of a pipeline for small images."""
    step = dict(step)
    for name in ('scale', 'crop_size', 'size'):
        if name in step:
            step[name] = (size, size) if isinstance(step[name], (tuple, list)) else min(step[name], size)
    return step


@pytest.mark.parametrize('path', [c for c in CONFIGS if c not in PIPELINES])
def test_name_and_settings_agree(path):
    cfg, name = read(path), NAME.fullmatch(Path(path).stem)
    assert name, 'the name has other fields'
    if '/search/' in path:
        size = cfg.train_cfg.input_size
    else:
        batch = int(name['processes']) * int(name['batch'])
        assert cfg.train_cfg.max_epochs == int(name['epochs']) and cfg.train_dataloader.batch_size == int(name['batch'])
        assert cfg.get('auto_scale_lr', dict(base_batch_size=batch))['base_batch_size'] == batch
        assert 'auto_scale_lr' in cfg or name['processes'] == '1'
        size = input_size(cfg) if path in DETECTORS or 'rtmdet' in path or 'retinanet' in path else None
    assert size is None or int(name['size']) == size[0] or size[0] in (608, 800)
    # Where a training ends is said once.
    schedulers = cfg.get('param_scheduler', [])
    schedulers = schedulers if isinstance(schedulers, list) else [schedulers]
    assert not [s for s in schedulers if s.get('by_epoch') and {'end', 'T_max'} & set(s)]
    assert cfg.custom_imports.imports == ['nasbnn_det']


def test_number_of_configs():
    assert len(list((ROOT / 'configs').rglob('*.py'))) <= 100


def check_groups(cfg, model, head):
    """Every parameter is in a group, and the predictors' are in the head alone."""
    groups = parameter_groups(model)
    found = {}
    for name, parameter in model.named_parameters():
        found.setdefault(groups[id(parameter)], set()).add(name.split('.')[0])
    assert found['class_predictors'] <= head and found.get('box_predictors', head) <= head
    assert ('latent' in found) == (cfg.model.get('binarization') != 'float')


@pytest.mark.parametrize('path', [c for c in DETECTORS if not any(name in c for name in TRAINED)])
def test_detector_builds(path):
    cfg = read(path)
    if cfg.model.get('teacher_config'):  # is another of these configs
        cfg.model.pop('teacher_config'), cfg.model.pop('teacher_ckpt')
        cfg.model.type = 'nasbnn_det.BinaryRTMDet'
    with torch.device('meta'):
        check_groups(cfg, build_model(cfg), {'bbox_head', 'rpn_head', 'roi_head'})


@pytest.mark.parametrize('path', [
    c if any(name in c for name in TRAINED) else pytest.param(c, marks=pytest.mark.slow) for c in DETECTORS])
def test_detector_counts_trains_and_predicts(path, tiny_shapes, tmp_path):
    cfg = load(path, tiny_shapes, tmp_path)
    runner = Runner.from_cfg(cfg)
    assert (total(count_model_ops(runner.model, (64, 64))).bops > 0) == (cfg.model.get('binarization') != 'float')
    check_groups(cfg, runner.model, {'bbox_head', 'rpn_head', 'roi_head'})
    before = {k: v.clone() for k, v in runner.model.named_parameters()}
    runner.train()
    # A level without a box, as most are on images this small, leaves its part of the head as it was.
    changed = {k: not torch.equal(v, before[k]) for k, v in runner.model.named_parameters()
               if v.requires_grad and 'towers.' not in k and 'neck.extra.' not in k}
    assert sum(changed.values()) > 0.9 * len(changed)
    assert 'coco/bbox_mAP' in runner.val_loop.run()


def binary_of(path):
    """The config of which a full-precision one is the counterpart."""
    return re.sub(r'-fp(?=_)', '', path)


@pytest.mark.parametrize('path', [c for c in DETECTORS if '-fp_' in c])
def test_counterparts_have_the_same_parts_and_nothing_binary(path):
    own, real = read(binary_of(path)), read(path)
    assert real.model.pop('binarization') == 'float' and own.model == real.model
    assert input_size(own) == input_size(real) and own.train_cfg == real.train_cfg
    with torch.device('meta'):
        models = [build_model(read(p)) for p in (binary_of(path), path)]
    kinds = [{name: type(m) for name, m in model.named_modules() if isinstance(m, torch.nn.Conv2d)} for model in models]
    assert kinds[0].keys() == kinds[1].keys()
    assert BinaryConv2d in kinds[0].values() and BinaryConv2d not in kinds[1].values()


@pytest.mark.parametrize('path', [c for c in SUPERNETS if c.count('/') == 2])
def test_supernets_are_counted_by_architecture(path):
    with torch.device('meta'):
        check_groups(read(path), build_model(read(path)), {'supernet'})
    if 'tiny' in path:
        with pytest.raises(ValueError, match='count an architecture'):
            count_model_ops(build_model(read(path)), (64, 64))


@pytest.mark.parametrize('size, most', [(320, 200e6), (416, 370e6)])
def test_the_headline_detector_stays_within_its_budget(size, most):
    path, = (c for c in DETECTORS if f'rtmdet_nasbnn-57m_8xb16-100e_coco-{size}.' in c)
    cfg = read(path)
    assert input_size(cfg) == (size, size)
    report = report_model(build_model(cfg), (size, size))
    assert set(report['parts']) == {'backbone', 'neck', 'bbox_head'} and report['ops'] <= most


def test_the_shipped_architecture_lies_in_its_window():
    arch = load_arch(ROOT / 'configs/_base_/archs/nasbnn-57m.json')
    assert arch.space == SPACES['imagenet']
    assert 55 <= count_ops(arch, (224, 224), 1000).ops / 1e6 <= 57


@pytest.mark.parametrize('path', SUPERNETS)
def test_supernet_trains_and_is_validated(path, tiny_shapes, tmp_path):
    cfg = load(path, tiny_shapes, tmp_path)
    cfg.val_cfg.recalibration_batches = 2
    runner = Runner.from_cfg(cfg)
    runner.train()
    assert int(runner.model.step) == len(runner.train_dataloader)
    assert {'smallest/accuracy/top1', 'biggest/accuracy/top1'} <= set(runner.val_loop.run())


def ops_range(space):
    """The lower half of a space's OPs at 48 px: quick to evaluate."""
    ends = [count_ops(arch, (48, 48), len(CLASSES)).ops
            for arch in (Arch.smallest(get_space(space)), Arch.biggest(get_space(space)))]
    return ends[0], sum(ends) / 2


@pytest.mark.parametrize('path', FINETUNES)
def test_found_network_is_fine_tuned(path, tiny_shapes, tmp_path):
    cfg = load(path, tiny_shapes, tmp_path)
    runner = Runner.from_cfg(cfg)
    runner.train()
    assert 'accuracy/top1' in runner.val_loop.run()


@pytest.mark.parametrize('path', SEARCHES)
def test_search_runs(path, tiny_shapes, tmp_path):
    cfg = load(path, tiny_shapes, tmp_path)
    torch.save(Supernet(cfg.model.space, len(CLASSES)).state_dict(), tmp_path / 'supernet.pth')
    low, high = (n / 1e6 for n in ops_range(cfg.model.space))
    cfg.train_cfg = dict(
        type=cfg.train_cfg.type, supernet=str(tmp_path / 'supernet.pth'), ops_range=(low, high), input_size=(48, 48),
        recalibration_batches=1, evolution=dict(num_random=3, num_mutants=2, num_crossovers=1, generations=1))
    Runner.from_cfg(cfg).train()
    front = Front.load(tmp_path / 'front.json')
    assert all(low * 1e6 <= entry.ops <= high * 1e6 for entry in front.entries)
    assert {'search_state.json', 'history.jsonl', 'front.png'} <= {p.name for p in tmp_path.iterdir()}


@pytest.mark.parametrize('path', PIPELINES)
def test_pipeline_names_existing_tools_and_configs(path):
    for stage in load_stages(read(path).stages):
        assert (ROOT / stage.tool).is_file()
        named = [arg for arg in stage.args if arg.startswith('configs/')]
        assert all((ROOT / arg).is_file() for arg in named)


@pytest.mark.parametrize('path', PIPELINES)
def test_stages_of_a_pipeline_name_earlier_ones(path, tmp_path):
    (tmp_path / 'last_checkpoint').write_text('epoch_1.pth')
    places = dict(data_root='data', work_dir='work', stage_dir='stage')
    for stage in load_stages(read(path).stages):
        assert not [part for part in stage.command(places) if '{' in part]
        places[stage.name] = StageFolder(tmp_path)
