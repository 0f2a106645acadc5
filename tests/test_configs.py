"""Every shipped config builds, and each kind runs a training and an evaluation step through MMEngine's Runner."""
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from mmengine.runner import Runner

from nasbnn_det.analysis.ops import count_model_ops, total
from nasbnn_det.arch import SPACES, Arch, Front, count_ops, get_space
from nasbnn_det.datasets.shapes import CLASSES
from nasbnn_det.pipeline import load_stages
from nasbnn_det.supernet import Supernet, extract_subnet, save_subnet

ROOT = Path(__file__).resolve().parent.parent
CONFIGS = sorted(p.relative_to(ROOT).as_posix() for p in (ROOT / 'configs').rglob('*.py') if '_base_' not in p.parts)
# Those of NASB are tested in tests/test_nasb/test_nasb_configs.py.
MODEL_CONFIGS = [c for c in CONFIGS if not c.startswith(('configs/pipelines/', 'configs/nasb/'))]
DETECTORS = [c for c in CONFIGS if c.startswith('configs/detection/')]
SUPERNETS = [c for c in CONFIGS if c.startswith('configs/supernet/')]
SEARCHES = [c for c in CONFIGS if c.startswith('configs/search/')]
FINETUNES = [c for c in CONFIGS if c.startswith('configs/finetune/')]
#: Large images would take minutes; the network and the loop are what is tested.
SIZE = 32
PIPELINES = [c for c in CONFIGS if c.startswith('configs/pipelines/')]


def load(path, data_root, work_dir):
    """The config with a few images of five shapes in place of its own data."""
    cfg = Config.fromfile(ROOT / path)
    cfg.work_dir = str(work_dir)
    cfg.default_hooks.checkpoint = None
    cfg.train_cfg.update(max_epochs=1, val_interval=1)
    for split, name in (('train', 'train_dataloader'), ('val', 'val_dataloader'), ('val', 'test_dataloader')):
        if name in cfg:
            cfg[name].update(batch_size=2, num_workers=0, persistent_workers=False)
            cfg[name].dataset.data_root = str(data_root)
            if path in DETECTORS:
                cfg[name].dataset.metainfo = dict(classes=CLASSES)
            else:
                cfg[name].dataset = dict(
                    type='CustomDataset', data_root=str(data_root), data_prefix=f'cls/{split}', indices=4,
                    pipeline=[shrunk(step) for step in with_loading(cfg[name].dataset.pipeline)])
    if path in FINETUNES:
        arch = Arch.smallest(SPACES['tiny'] if 'imagenet' not in path else SPACES['imagenet'])
        net = extract_subnet(Supernet(arch.space, len(CLASSES)), arch)
        (work_dir / 'arch.json').write_text(arch.to_json())
        save_subnet(work_dir / 'subnet.pth', net)
        for part in (cfg.model.backbone, cfg.model.head):
            part.init_cfg = dict(type='Pretrained', checkpoint=str(work_dir / 'subnet.pth'))
        last = (len(arch.stages) - 1, )
        cfg.model.backbone.update(arch=str(work_dir / 'arch.json'), out_indices=last)
        cfg.model.head.update(
            num_classes=len(CLASSES), in_channels=dict(arch=str(work_dir / 'arch.json'), out_indices=last))
        cfg.model.data_preprocessor.num_classes = len(CLASSES)
    elif path in DETECTORS:
        cfg.model.bbox_head.num_classes = len(CLASSES)
        cfg.val_evaluator.ann_file = cfg.test_evaluator.ann_file = str(data_root / 'annotations/instances_val.json')
    else:
        cfg.model.num_classes = cfg.model.data_preprocessor.num_classes = len(CLASSES)
    return cfg


def with_loading(pipeline):
    """A pipeline that begins with loading; data sets that hold arrays have none."""
    loads = any('LoadImage' in step['type'] for step in pipeline)
    return pipeline if loads else [dict(type='LoadImageFromFile'), *pipeline]


def shrunk(step):
    """A step of a pipeline for small images."""
    step = dict(step)
    for name in ('scale', 'crop_size'):
        if name in step:
            step[name] = (SIZE, SIZE) if isinstance(step[name], (tuple, list)) else min(step[name], SIZE)
    return step


@pytest.mark.parametrize('path', [c for c in MODEL_CONFIGS if c not in FINETUNES])
def test_model_builds(path):
    cfg = Config.fromfile(ROOT / path)
    init_default_scope(cfg.default_scope)
    model = MODELS.build(cfg.model)
    if path in DETECTORS:
        assert total(count_model_ops(model, (64, 64))).ops > 0
    else:
        with pytest.raises(ValueError, match='count an architecture'):
            count_model_ops(model, (64, 64))


@pytest.mark.parametrize('path', DETECTORS)
def test_detector_trains_and_predicts(path, tiny_shapes, tmp_path):
    cfg = load(path, tiny_shapes, tmp_path)
    runner = Runner.from_cfg(cfg)
    before = {k: v.clone() for k, v in runner.model.named_parameters()}
    runner.train()
    changed = [k for k, v in runner.model.named_parameters() if not torch.equal(v, before[k])]
    assert len(changed) > 0.9 * len(before)
    assert 'coco/bbox_mAP' in runner.val_loop.run()


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
    for stage in load_stages(Config.fromfile(ROOT / path).stages):
        assert (ROOT / stage.tool).is_file()
        named = [arg for arg in stage.args if arg.startswith('configs/')]
        assert all((ROOT / arg).is_file() for arg in named)
