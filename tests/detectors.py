"""Tiny detectors for tests: batches, one training step, one prediction."""
import copy
from pathlib import Path

import torch
from mmdet.structures import DetDataSample
from mmdet.utils import register_all_modules
from mmengine.config import Config, ConfigDict
from mmengine.logging import MessageHub
from mmengine.optim import OptimWrapper
from mmengine.registry import MODELS, init_default_scope
from mmengine.structures import InstanceData

from nasbnn_det.arch import SPACES, Arch

#: Classes and image size of :func:`batch`.
CLASSES, SIZE = 4, 64


def enter_mmdet():
    """MMDetection's scope, as its tools set it."""
    register_all_modules(init_default_scope=False)
    init_default_scope('mmdet')


def batch(size=SIZE):
    """Two images, the second without an object."""
    samples = []
    for boxes, labels in (([[4., 4, 30, 40], [20, 10, 60, 50]], [0, 3]), ([], [])):
        shape = (size, size)
        sample = DetDataSample(metainfo=dict(img_shape=shape, ori_shape=shape, scale_factor=(1., 1.),
                                             batch_input_shape=shape, pad_shape=shape, img_id=len(samples)))
        sample.gt_instances = InstanceData(bboxes=torch.tensor(boxes).view(-1, 4), labels=torch.tensor(labels).long())
        samples.append(sample)
    generator = torch.Generator().manual_seed(0)
    images = [torch.randint(0, 256, (3, size, size), dtype=torch.uint8, generator=generator) for _ in range(2)]
    return dict(inputs=images, data_samples=samples)


def build(cfg):
    """A detector with initialised weights, the same for the same config."""
    torch.manual_seed(0)
    net = MODELS.build(ConfigDict(cfg))
    net.init_weights()
    return net


def tiny_rtmdet(out_indices=(2, 3, 4)):
    """The flagship's parts with the smallest architecture, on some of its stages."""
    enter_mmdet()
    arch = Arch.smallest(SPACES['tiny'])
    base = Path(__file__).resolve().parent.parent / 'configs' / '_base_' / 'models' / 'rtmdet_nasbnn.py'
    cfg = copy.deepcopy(Config.fromfile(base).model)
    cfg.backbone.update(arch=arch.to_dict(), out_indices=out_indices)
    cfg.neck.out_channels = cfg.bbox_head.feat_channels = 8
    cfg.bbox_head.num_classes = CLASSES
    cfg.bbox_head.anchor_generator.strides = [arch.space.strides[i] for i in out_indices]
    return build(cfg)


def train_step(net, size=SIZE):
    """One step; returns the losses and the names of parameters without a gradient."""
    MessageHub.get_current_instance().update_info('iter', 0)  # YOLOX asks for it
    optimizer = torch.optim.AdamW(net.parameters(), 1e-3, weight_decay=0)
    gradients = {}
    for name, parameter in net.named_parameters():
        parameter.register_hook(lambda g, name=name: gradients.__setitem__(name, torch.isfinite(g).all().item()))
    logs = net.train().train_step(batch(size), OptimWrapper(optimizer))
    assert all(torch.isfinite(torch.as_tensor(v)).all() for v in logs.values()) and all(gradients.values())
    assert all(torch.isfinite(p).all() for p in net.parameters())
    return logs, sorted(name for name, _ in net.named_parameters() if name not in gradients)


def predict_step(net, size=SIZE):
    """One prediction; returns the instances of each image."""
    with torch.no_grad():
        results = net.eval().test_step(batch(size))
    found = [result.pred_instances for result in results]
    assert len(found) == 2 and all(f.bboxes.shape == (len(f), 4) and torch.isfinite(f.scores).all() for f in found)
    return found
