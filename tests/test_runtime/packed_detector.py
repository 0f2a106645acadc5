"""A detector with numbers as after a training, and its packed file."""
import copy
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import save_checkpoint
from shaken_network import shake

from nasbnn_det.deploy.packing import pack_checkpoint
from nasbnn_det.registry import MODELS
from nasbnn_det.runtime import save_packed
from nasbnn_det.supernet import recalibrate_bn

ROOT = Path(__file__).resolve().parents[2]
CONFIG = next((ROOT / 'configs').glob('detection/**/rtmdet_nasbnn-tiny_1xb16-8e_shapes-128.py'))
CLASSES = ['circle', 'square', 'triangle', 'star', 'cross']


def make(folder):
    """Writes d.pth and d.safetensors into a folder; returns config, model and the folder."""
    cfg = Config.fromfile(CONFIG)
    init_default_scope('mmdet')
    torch.manual_seed(0)
    model = shake(MODELS.build(cfg.model))
    recalibrate_bn(model, [torch.randn(4, 3, 64, 64)])
    head = model.bbox_head
    for predictor in (*head.rtm_cls, *head.rtm_reg):  # scores and boxes that differ
        torch.nn.init.normal_(predictor.weight, std=0.01)
    with torch.no_grad():
        logits, distances = model(torch.randn(2, 3, 64, 64))
        for predictor, output in (*zip(head.rtm_cls, logits), *zip(head.rtm_reg, (d.log() for d in distances))):
            predictor.weight.mul_(0.8 / output.std(dim=(0, 2, 3)).mean())
    meta = dict(dataset_meta=dict(classes=CLASSES))
    save_checkpoint(dict(state_dict=model.state_dict(), meta=meta), str(folder / 'd.pth'))
    save_packed(folder / 'd.safetensors', pack_checkpoint(copy.deepcopy(cfg), folder / 'd.pth'))
    return cfg, model.eval(), folder
