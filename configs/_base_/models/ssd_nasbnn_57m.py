# Levels and anchors of MMDetection's SSDLite at 320 px.
_base_ = 'mmdet::_base_/models/ssd300.py'

# The architecture becomes a part of the config; the channels of neck and head follow from it.
from mmengine.fileio import load

arch = load('{{ fileDirname }}/../archs/nasbnn-57m.json')
out_indices = (4, 5)
model = dict(
    type='nasbnn_det.BinarySSD',
    data_preprocessor=dict(mean=[127.5] * 3, std=[127.5] * 3),
    backbone=dict(
        _delete_=True, type='nasbnn_det.NASBNN', arch=arch, space='imagenet', out_indices=out_indices),
    neck=dict(
        _delete_=True,
        type='nasbnn_det.BinarySSDNeck',
        extra_channels=(512, 256, 256, 128)),
    bbox_head=dict(
        type='nasbnn_det.BinarySSDHead',
        in_channels=None,
        anchor_generator=dict(
            _delete_=True,
            type='SSDAnchorGenerator',
            scale_major=False,
            strides=[16, 32, 64, 107, 160, 320],
            ratios=[[2, 3]] * 6,
            min_sizes=[48, 100, 150, 202, 253, 304],
            max_sizes=[100, 150, 202, 253, 304, 320])))
