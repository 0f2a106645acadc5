_base_ = './ssd_nasbnn_57m.py'

from mmengine.fileio import load  # the architecture becomes a part of the config

arch = load('{{ fileDirname }}/../archs/nasbnn-107m.json')
model = dict(
    backbone=dict(arch=arch),
    neck=dict(in_channels=dict(arch=arch)),
    bbox_head=dict(in_channels=dict(arch=arch)))
