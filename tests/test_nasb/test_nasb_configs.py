"""Every shipped NASB config trains through MMEngine's Runner, and each stage takes what the one before it wrote."""
from pathlib import Path

import pytest
import torch

pytest.importorskip('mmpretrain')
pytest.importorskip('mmdet')

from mmengine.config import Config  # noqa: E402
from mmengine.registry import MODELS, init_default_scope  # noqa: E402
from mmengine.runner import Runner  # noqa: E402

from nasbnn_det.costs.module_ops import count_model_ops, total  # noqa: E402
from nasbnn_det.datasets.shapes import CLASSES  # noqa: E402
from nasbnn_det.nasb import CellNet, load_cells  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = sorted(p.name for p in (ROOT / 'configs/nasb').glob('*.py'))
DETECTORS = [c for c in CONFIGS if c.startswith(('rtmdet', 'retinanet'))]
#: (pretrain, search, fine-tune) of the same network and data.
CHAINS = [tuple(next(c for c in CONFIGS if c.startswith(f'nasb-{stage}-{net}_') and data in c)
                for stage in ('pretrain', 'search', 'finetune'))
          for net, data in (('r18', 'in1k'), ('r18-tiny', 'shapes'), ('r18-tiny', 'imagefolder'))]


def load(name, data, work_dir):
    """The config narrowed, with a few small images in place of its own data."""
    cfg = Config.fromfile(ROOT / 'configs/nasb' / name)
    cfg.work_dir = str(work_dir)
    cfg.experiment_name = Path(work_dir).name
    cfg.default_hooks.checkpoint.interval = 1
    cfg.train_cfg.update(max_epochs=1, val_interval=1)
    cfg.model.backbone.base_channels = 4
    if 'space' in cfg.model.backbone:
        cfg.model.backbone.space.num_nodes = 2
    for split, loader in (('train', 'train_dataloader'), ('val', 'val_dataloader'), ('val', 'test_dataloader')):
        if loader in cfg:
            cfg[loader].update(batch_size=2, num_workers=0, persistent_workers=False)
            if name in DETECTORS:
                continue
            cfg[loader].dataset = dict(
                type='CustomDataset', data_root=str(data), data_prefix=f'cls/{split}', indices=4,
                pipeline=[dict(type='LoadImageFromFile'), dict(type='Resize', scale=(32, 32)), dict(type='PackInputs')])
    if name not in DETECTORS:
        cfg.model.head.num_classes = len(CLASSES)
        cfg.model.data_preprocessor.num_classes = len(CLASSES)
    return cfg


def run(cfg):
    runner = Runner.from_cfg(cfg)
    runner.train()
    return runner


@pytest.mark.parametrize('chain, depth', [
    *(pytest.param(chain, 18, id=chain[0].split('_')[0] + '_' + chain[0].split('_')[-1][:-3]) for chain in CHAINS),
    *(pytest.param(CHAINS[0], depth, id=f'r{depth}', marks=pytest.mark.slow) for depth in (34, 50))
])
def test_three_stages(chain, depth, tiny_shapes, tmp_path):
    pretrain, search, finetune = (load(name, tiny_shapes, tmp_path / str(i)) for i, name in enumerate(chain))
    for cfg in (pretrain, search, finetune):
        cfg.model.backbone.depth = depth
    for cfg, folder in ((search, '0'), (finetune, '1')):
        for part in (cfg.model.backbone, cfg.model.head):
            assert part.init_cfg.type == 'Pretrained'
            part.init_cfg.checkpoint = str(tmp_path / folder / 'epoch_1.pth')
    first = run(pretrain)
    assert all(float(c.alphas.abs().max()) == 0 for c in first.model.backbone.cells.values())
    search.model.backbone.norm_eval = True  # keeps the statistics, so that the next stage can be compared
    second = run(search)
    assert any(float(c.alphas.abs().max()) > 0 for c in second.model.backbone.cells.values())
    finetune.model.backbone.cells = str(tmp_path / '1' / 'cells.json')
    third = Runner.from_cfg(finetune)
    third.model.init_weights()
    found = load_cells(finetune.model.backbone.cells, third.model.backbone.shape.depth)
    assert third.model.backbone.net == found
    mixed = second.model.state_dict()
    for key in ('backbone.stem.0.conv.weight', 'head.fc.weight'):
        assert torch.equal(third.model.state_dict()[key], mixed[key])
    third.train()
    assert 'accuracy/top1' in third.val_loop.run()


def test_the_baseline_trains(tiny_shapes, tmp_path):
    name, = [c for c in CONFIGS if c.startswith('nasb-plain')]
    runner = run(load(name, tiny_shapes, tmp_path))
    assert runner.model.backbone.net == CellNet.plain(18)


@pytest.mark.parametrize('name', DETECTORS)
def test_detectors_build_and_count(name):
    cfg = Config.fromfile(ROOT / 'configs/nasb' / name)
    init_default_scope('mmdet')
    cfg.model.backbone.update(cells=None, init_cfg=None)
    ops = total(count_model_ops(MODELS.build(cfg.model), (64, 64)))
    assert ops.bops > 0


def test_detector_trains_on_a_found_backbone(tiny_shapes, tmp_path):
    name, = [c for c in DETECTORS if 'shapes' in c]
    cfg = load(name, tiny_shapes, tmp_path)
    edges = [[0, 1, 'max_pool_3x3']]
    cells = CellNet.plain(18).to_dict()
    cells['cells']['layer2.0.conv1']['edges'] = edges
    cfg.model.backbone.cells = cells
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        cfg[loader].dataset.data_root = str(tiny_shapes)
    runner = Runner.from_cfg(cfg)
    before = {k: v.clone() for k, v in runner.model.named_parameters()}
    runner.train()
    changed = [k for k, v in runner.model.named_parameters() if not torch.equal(v, before[k])]
    assert len(changed) > 0.9 * len(before)
    assert any('edges' in k for k in changed)
    assert 'coco/bbox_mAP' in runner.val_loop.run()


def test_maps_fit_a_feature_pyramid():
    """Channels and strides are those of MMDetection's ResNet, which OpenMMLab's necks and heads expect."""
    from mmdet.models.necks import FPN
    init_default_scope('mmdet')
    net = MODELS.build(dict(type='nasbnn_det.NASBResNet', depth=18, base_channels=8)).eval()
    outs = FPN(list(net.out_channels), 16, 5)(net(torch.randn(1, 3, 96, 128)))
    assert [o.shape[2:] for o in outs] == [(24, 32), (12, 16), (6, 8), (3, 4), (2, 2)]
