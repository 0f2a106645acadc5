"""BinaryRTMDetHead, alone and in a tiny detector built from the shipped model config."""
import copy
from pathlib import Path

import pytest
import torch
from torch import nn

pytest.importorskip('mmdet')

from mmdet.structures import DetDataSample  # noqa: E402
from mmdet.utils import register_all_modules  # noqa: E402
from mmengine.config import Config, ConfigDict  # noqa: E402
from mmengine.registry import init_default_scope  # noqa: E402
from mmengine.structures import InstanceData  # noqa: E402

from nasbnn_det.arch import SPACES, Arch  # noqa: E402
from nasbnn_det.binary import BinaryConv2d, QuantConv2d  # noqa: E402
from nasbnn_det.registry import MODELS  # noqa: E402

_BASE = Path(__file__).resolve().parents[2] / 'configs' / '_base_' / 'models' / 'rtmdet_nasbnn.py'
ARCH = Arch.smallest(SPACES['tiny']).to_dict()


@pytest.fixture(scope='module', autouse=True)
def scope():
    """MMDetection's scope, as its tools set it."""
    register_all_modules(init_default_scope=False)
    init_default_scope('mmdet')


def detector_config(binarization='standardized', **head):
    """The shipped values with a tiny architecture."""
    cfg = copy.deepcopy(Config.fromfile(_BASE).model)
    out_indices = (2, 3, 4)
    cfg.backbone.update(arch=ARCH, out_indices=out_indices, binarization=binarization)
    cfg.neck.update(out_channels=8, binarization=binarization)
    cfg.bbox_head.update(dict(num_classes=4, in_channels=8, feat_channels=8, binarization=binarization, **head))
    return cfg


def build_detector(**kwargs):
    """A tiny RTMDet."""
    torch.manual_seed(0)
    return MODELS.build(detector_config(**kwargs))


def build_head(**kwargs):
    """Its head alone."""
    cfg = detector_config(**kwargs)
    return MODELS.build(ConfigDict(**cfg.bbox_head, train_cfg=cfg.train_cfg, test_cfg=cfg.test_cfg))


def batch():
    """Two images, the second without an object."""
    samples = []
    for boxes, labels in (([[4., 4, 30, 40], [20, 10, 60, 50]], [0, 3]), ([], [])):
        sample = DetDataSample(metainfo=dict(img_shape=(64, 64), ori_shape=(64, 64), scale_factor=(1., 1.),
                                             batch_input_shape=(64, 64), pad_shape=(64, 64)))
        sample.gt_instances = InstanceData(bboxes=torch.tensor(boxes).view(-1, 4), labels=torch.tensor(labels).long())
        samples.append(sample)
    images = [torch.randint(0, 256, (3, 64, 64), dtype=torch.uint8) for _ in range(2)]
    return dict(inputs=images, data_samples=samples)


@pytest.mark.parametrize('binarization', ['standardized', 'float'])
@pytest.mark.parametrize('stacked', [0, 1, 2])
def test_head_shapes(binarization, stacked):
    head = build_head(binarization=binarization, stacked_convs=stacked)
    sizes = [(9, 7), (5, 4), (3, 2)]
    scores, distances = head([torch.randn(2, 8, *size) for size in sizes])
    assert [s.shape for s in scores] == [(2, 4, *size) for size in sizes]
    assert [d.shape for d in distances] == [(2, 4, *size) for size in sizes]
    assert all((d > 0).all() for d in distances)


def test_levels_share_convolutions_and_nothing_else():
    head = build_head()
    for towers in (head.cls_towers, head.reg_towers):
        for bricks in zip(*towers):
            assert len({id(b.conv) for b in bricks}) == 1
            assert len({id(b.bn) for b in bricks}) == len({id(b.act) for b in bricks}) == 3
    assert head.cls_towers[0][0].conv is not head.reg_towers[0][0].conv
    assert len({id(m) for m in (*head.rtm_cls, *head.rtm_reg)}) == 6
    assert sum(type(m) is BinaryConv2d for m in head.modules()) == 4


@pytest.mark.parametrize('quant, kind', [(True, QuantConv2d), (False, nn.Conv2d)])
def test_predictors(quant, kind):
    head = build_head(quant_predictors=quant)
    head.init_weights()
    assert all(type(m) is kind and m.kernel_size == (1, 1) for m in (*head.rtm_cls, *head.rtm_reg))
    torch.manual_seed(0)
    scores, distances = head.eval()([torch.randn(1, 8, 8 // 2**i, 8 // 2**i) for i in range(3)])
    for level, (score, distance) in enumerate(zip(scores, distances)):
        # Classification starts at a prior of 0.01, boxes at one stride to each side.
        assert score.sigmoid().median().item() == pytest.approx(0.01, rel=0.2)
        assert (distance / (8 * 2**level)).median().item() == pytest.approx(1, rel=0.2)


@pytest.mark.parametrize('kwargs, words', [
    (dict(with_objectness=True), 'no objectness branch'), (dict(binarization='bad'), "'bad' is unknown")])
def test_bad_arguments(kwargs, words):
    with pytest.raises(ValueError, match=words):
        build_head(**kwargs)


@pytest.mark.parametrize('binarization', ['standardized', 'float'])
def test_loss_and_gradients(binarization):
    torch.manual_seed(0)
    net = build_detector(binarization=binarization).train()
    net.init_weights()
    data = net.data_preprocessor(batch(), training=True)
    losses = net(**data, mode='loss')
    total, logs = net.parse_losses(losses)
    assert set(logs) >= {'loss', 'loss_cls', 'loss_bbox'} and torch.isfinite(total) and total > 0
    total.backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in net.parameters())


def test_loss_falls():
    torch.manual_seed(0)
    net = build_detector().train()
    net.init_weights()
    data = net.data_preprocessor(batch(), training=True)
    adam = torch.optim.AdamW(net.parameters(), 3e-3)
    values = []
    for _ in range(12):
        total, _ = net.parse_losses(net(**data, mode='loss'))
        adam.zero_grad()
        total.backward()
        adam.step()
        values.append(total.item())
    assert sum(values[-3:]) < 0.95 * sum(values[:3])


def test_predict():
    net = build_detector().eval()
    net.init_weights()
    with torch.no_grad():
        results = net.test_step(batch())
    assert len(results) == 2
    for result in results:
        found = result.pred_instances
        assert len(found) <= 100 and found.bboxes.shape == (len(found), 4)
        assert ((found.labels >= 0) & (found.labels < 4)).all()
        assert (found.bboxes >= 0).all() and (found.bboxes <= 64).all()
        assert (found.scores[:-1] >= found.scores[1:]).all()


def test_everything_but_stem_and_predictors_is_binary():
    net = build_detector()
    kinds = {name: type(m) for name, m in net.named_modules() if isinstance(m, nn.Conv2d)}
    real = {name for name, kind in kinds.items() if kind is not BinaryConv2d}
    predictors = {f'bbox_head.rtm_{branch}.{i}' for branch in ('cls', 'reg') for i in range(3)}
    assert real == {'backbone.stem.conv'} | predictors
    assert all(kinds[name] is QuantConv2d for name in real)


def test_a_detector_without_its_backbone_weights_does_not_load():
    net = build_detector()
    state = {k: v for k, v in net.state_dict().items() if not k.startswith('backbone')}
    with pytest.raises(ValueError, match="at backbone.' has wrong keys"):
        net.load_state_dict(state, strict=False)
