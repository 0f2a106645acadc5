_base_ = 'mmdet::_base_/models/retinanet_r50_fpn.py'

from mmengine.fileio import load  # the architecture becomes a part of the config

arch = load('{{ fileDirname }}/../archs/nasbnn-57m.json')
out_indices = (3, 4, 5)
model = dict(
    data_preprocessor=dict(mean=[127.5] * 3, std=[127.5] * 3),
    backbone=dict(
        _delete_=True, type='nasbnn_det.NASBNN', arch=arch, space='imagenet', out_indices=out_indices),
    neck=dict(
        _delete_=True,
        type='nasbnn_det.BinaryFPN',
        in_channels=dict(arch=arch, out_indices=out_indices),
        out_channels=256,
        num_outs=5),
    bbox_head=dict(type='nasbnn_det.BinaryRetinaHead'))
