_base_ = './retinanet_nasbnn_57m.py'

arch = '{{ fileDirname }}/../archs/nasbnn-180m.json'
model = dict(backbone=dict(arch=arch), neck=dict(in_channels=dict(arch=arch)))
