"""Small detectors of each kind with numbers as after a training, and their packed files."""
import copy

import torch
from mmengine.config import Config, ConfigDict
from mmengine.registry import init_default_scope
from mmengine.runner import save_checkpoint
from packed_detector import CLASSES, ROOT
from shaken_network import shake

from nasbnn_det.arch import SPACES, Arch
from nasbnn_det.deploy.packing import pack_checkpoint
from nasbnn_det.registry import MODELS
from nasbnn_det.runtime import save_packed
from nasbnn_det.supernet import recalibrate_bn

SIZE = 96


def _small(cfg, out_indices):
    """A config of the project with the smallest backbone, five classes and small images, which nothing is padded to: scores
    there would be equal, and their order anybody's."""
    cfg = copy.deepcopy(cfg)
    cfg.model.backbone.update(arch=Arch.smallest(SPACES['tiny']).to_dict(), space='tiny', out_indices=out_indices)
    cfg.model.bbox_head.num_classes = len(CLASSES)
    for step in cfg.test_dataloader.dataset.pipeline:
        for key in {'scale', 'size'} & set(step):
            step[key] = (SIZE, SIZE)
        if 'keep_ratio' in step:
            step['keep_ratio'] = False
    return cfg


def retinanet():
    """The config's detector on 16 channels."""
    cfg = _small(Config.fromfile(ROOT / 'configs/detection/retinanet/retinanet_nasbnn-57m_fpn_8xb16-100e_coco-640.py'),
                 (2, 3, 4))
    cfg.model.neck.out_channels = 16
    cfg.model.bbox_head.update(feat_channels=16, stacked_convs=2)
    return cfg


def fcos(**changes):
    """RetinaNet's config with FCOS's head, whose distances are powers of e."""
    cfg = retinanet()
    cfg.model.type = 'nasbnn_det.BinaryFCOS'
    cfg.model.bbox_head = ConfigDict(
        type='nasbnn_det.BinaryFCOSHead', num_classes=len(CLASSES), feat_channels=16, stacked_convs=1,
        strides=[8, 16, 32, 64, 128], loss_bbox=dict(type='GIoULoss', loss_weight=1.0), **changes)
    return cfg


def fcos_in_strides():
    """FCOS with all that makes it better, on a neck that aggregates paths."""
    cfg = fcos(norm_on_bbox=True, centerness_on_reg=True)
    cfg.model.neck.update(type='nasbnn_det.BinaryPAFPN', num_outs=5)
    return cfg


def ssd():
    """The config's detector with small levels above the backbone's."""
    cfg = _small(Config.fromfile(ROOT / 'configs/detection/ssd/ssd_nasbnn-57m_8xb16-100e_coco-320.py'), (3, 4))
    cfg.model.neck.extra_channels = (24, 16, 16, 8)
    return cfg


MAKERS = dict(retinanet=retinanet, fcos=fcos, fcos_in_strides=fcos_in_strides, ssd=ssd)


def predictors(head):
    """The layers that give the head's numbers, those of scores first."""
    if hasattr(head, 'cls_convs') and hasattr(head, 'reg_convs'):
        return [branch[-1] for branch in (*head.cls_convs, *head.reg_convs)]
    names = ('retina_cls', 'retina_reg', 'conv_cls', 'conv_reg', 'conv_centerness')
    return [getattr(head, name) for name in names if hasattr(head, name)]


def make(name, folder):
    """Writes d.pth and d.safetensors into a folder; returns the config."""
    cfg = MAKERS[name]()
    init_default_scope('mmdet')
    torch.manual_seed(0)
    model = shake(MODELS.build(cfg.model))
    recalibrate_bn(model, [torch.randn(4, 3, 64, 64)])
    for predictor in predictors(model.bbox_head):  # scores and boxes that differ
        torch.nn.init.normal_(predictor.weight, std=0.1)
        torch.nn.init.normal_(predictor.bias, std=0.5)
    for i, scale in enumerate(getattr(model.bbox_head, 'scales', ())):
        scale.scale.data.fill_(0.8 + 0.1 * i)
    meta = dict(dataset_meta=dict(classes=CLASSES))
    save_checkpoint(dict(state_dict=model.state_dict(), meta=meta), str(folder / 'd.pth'))
    save_packed(folder / 'd.safetensors', pack_checkpoint(copy.deepcopy(cfg), folder / 'd.pth'))
    return cfg
