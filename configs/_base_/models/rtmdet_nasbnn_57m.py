# The headline detector: within 200M OPs at 320 px and 370M at 416 px, everything included.
_base_ = './rtmdet_nasbnn.py'

from mmengine.fileio import load  # the architecture becomes a part of the config

arch = load('{{ fileDirname }}/../archs/nasbnn-57m.json')
out_indices = (3, 4, 5)
model = dict(
    backbone=dict(arch=arch, space='imagenet', out_indices=out_indices),
    neck=dict(in_channels=dict(arch=arch, out_indices=out_indices), out_channels=192),
    bbox_head=dict(num_classes=80, in_channels=192, feat_channels=192))
