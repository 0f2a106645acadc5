"""Every shipped config builds, and each kind runs a training and an evaluation step through MMEngine's Runner."""
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from mmengine.runner import Runner

from nasbnn_det.analysis.ops import count_model_ops, total
from nasbnn_det.pipeline import load_stages

ROOT = Path(__file__).resolve().parent.parent
CONFIGS = sorted(p.relative_to(ROOT).as_posix() for p in (ROOT / 'configs').rglob('*.py') if '_base_' not in p.parts)
MODEL_CONFIGS = [c for c in CONFIGS if not c.startswith('configs/pipelines/')]
DETECTORS = [c for c in CONFIGS if c.startswith('configs/detection/')]
SUPERNETS = [c for c in CONFIGS if c.startswith('configs/supernet/')]
PIPELINES = [c for c in CONFIGS if c.startswith('configs/pipelines/')]


def load(path, data_root, work_dir):
    cfg = Config.fromfile(ROOT / path)
    cfg.work_dir = str(work_dir)
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        if name in cfg:
            cfg[name].update(batch_size=2, num_workers=0, persistent_workers=False)
            cfg[name].dataset.data_root = str(data_root)
    return cfg


@pytest.mark.parametrize('path', MODEL_CONFIGS)
def test_model_builds_and_counts(path):
    cfg = Config.fromfile(ROOT / path)
    init_default_scope(cfg.default_scope)
    model = MODELS.build(cfg.model)
    assert total(count_model_ops(model, (64, 64))).ops > 0


@pytest.mark.parametrize('path', DETECTORS)
def test_detector_trains_and_predicts(path, tiny_shapes, tmp_path):
    cfg = load(path, tiny_shapes, tmp_path)
    for name in ('val_evaluator', 'test_evaluator'):
        cfg[name].ann_file = str(tiny_shapes / 'annotations' / 'instances_val.json')
    cfg.train_cfg.update(max_epochs=1, val_interval=1)
    cfg.default_hooks.checkpoint = None
    runner = Runner.from_cfg(cfg)
    before = {k: v.clone() for k, v in runner.model.named_parameters()}
    runner.train()
    changed = [k for k, v in runner.model.named_parameters() if not torch.equal(v, before[k])]
    assert len(changed) > 0.9 * len(before)
    assert 'coco/bbox_mAP' in runner.val_loop.run()


@pytest.mark.parametrize('path', SUPERNETS)
def test_supernet_trains_and_is_validated(path, tiny_shapes, tmp_path):
    cfg = load(path, tiny_shapes, tmp_path)
    cfg.train_cfg.update(max_epochs=1, val_interval=1)
    cfg.val_cfg.recalibration_batches = 2
    cfg.default_hooks.checkpoint = None
    runner = Runner.from_cfg(cfg)
    runner.train()
    assert int(runner.model.step) == len(runner.train_dataloader)
    assert {'smallest/accuracy/top1', 'biggest/accuracy/top1'} <= set(runner.val_loop.run())


@pytest.mark.parametrize('path', PIPELINES)
def test_pipeline_names_existing_tools_and_configs(path):
    for stage in load_stages(Config.fromfile(ROOT / path).stages):
        assert (ROOT / stage.tool).is_file()
        named = [arg for arg in stage.args if arg.startswith('configs/')]
        assert all((ROOT / arg).is_file() for arg in named)
