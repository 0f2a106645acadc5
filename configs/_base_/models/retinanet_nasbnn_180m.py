_base_ = './retinanet_nasbnn_57m.py'

from mmengine.fileio import load  # the architecture becomes a part of the config

arch = load('{{ fileDirname }}/../archs/nasbnn-180m.json')
model = dict(backbone=dict(arch=arch), neck=dict(in_channels=dict(arch=arch)))
