# The headline detector: within 200M OPs at 320 px and 370M at 416 px, everything included.
_base_ = './rtmdet_nasbnn.py'

# The architecture becomes a part of the config; the channels of neck and head follow from it.
from mmengine.fileio import load

arch = load('{{ fileDirname }}/../archs/nasbnn-57m.json')
model = dict(
    backbone=dict(arch=arch, space='imagenet'),
    neck=dict(out_channels=192),
    bbox_head=dict(num_classes=80, feat_channels=192))
