"""Every shipped config builds, and each kind runs a training and an evaluation step through MMEngine's Runner."""
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from mmengine.runner import Runner

from nasbnn_det.analysis.ops import count_model_ops, total
from nasbnn_det.arch import Front
from nasbnn_det.datasets.shapes import CLASSES
from nasbnn_det.pipeline import load_stages
from nasbnn_det.supernet import Supernet

ROOT = Path(__file__).resolve().parent.parent
CONFIGS = sorted(p.relative_to(ROOT).as_posix() for p in (ROOT / 'configs').rglob('*.py') if '_base_' not in p.parts)
MODEL_CONFIGS = [c for c in CONFIGS if not c.startswith('configs/pipelines/')]
DETECTORS = [c for c in CONFIGS if c.startswith('configs/detection/')]
SUPERNETS = [c for c in CONFIGS if c.startswith('configs/supernet/')]
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
                cfg[name].dataset.data_prefix = f'cls/{split}'
    if path in DETECTORS:
        cfg.model.bbox_head.num_classes = len(CLASSES)
        cfg.val_evaluator.ann_file = cfg.test_evaluator.ann_file = str(data_root / 'annotations/instances_val.json')
    else:
        cfg.model.num_classes = cfg.model.data_preprocessor.num_classes = len(CLASSES)
    return cfg


@pytest.mark.parametrize('path', MODEL_CONFIGS)
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


@pytest.mark.parametrize('path', [c for c in CONFIGS if c.startswith('configs/search/')])
def test_search_runs(path, tiny_shapes, tmp_path):
    cfg = load(path, tiny_shapes, tmp_path)
    torch.save(Supernet('tiny', len(CLASSES)).state_dict(), tmp_path / 'supernet.pth')
    cfg.train_cfg = dict(
        type=cfg.train_cfg.type, supernet=str(tmp_path / 'supernet.pth'), ops_range=(0.1, 0.5), input_size=(48, 48),
        recalibration_batches=1, evolution=dict(num_random=3, num_mutants=2, num_crossovers=1, generations=1))
    Runner.from_cfg(cfg).train()
    front = Front.load(tmp_path / 'front.json')
    assert all(0.1e6 <= entry.ops <= 0.5e6 for entry in front.entries)
    assert {'search_state.json', 'history.jsonl', 'front.png'} <= {p.name for p in tmp_path.iterdir()}


@pytest.mark.parametrize('path', PIPELINES)
def test_pipeline_names_existing_tools_and_configs(path):
    for stage in load_stages(Config.fromfile(ROOT / path).stages):
        assert (ROOT / stage.tool).is_file()
        named = [arg for arg in stage.args if arg.startswith('configs/')]
        assert all((ROOT / arg).is_file() for arg in named)
