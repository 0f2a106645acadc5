_base_ = 'mmdet::_base_/models/faster-rcnn_r50_fpn.py'

# The architecture becomes a part of the config; the channels of neck and heads follow from it.
from mmengine.fileio import load

arch = load('{{ fileDirname }}/../archs/nasbnn-57m.json')
out_indices = (2, 3, 4, 5)
model = dict(
    type='nasbnn_det.BinaryFasterRCNN',
    data_preprocessor=dict(mean=[127.5] * 3, std=[127.5] * 3),
    backbone=dict(
        _delete_=True, type='nasbnn_det.NASBNN', arch=arch, space='imagenet', out_indices=out_indices),
    neck=dict(
        _delete_=True,
        type='nasbnn_det.BinaryFPN',
        out_channels=128,
        num_outs=5),
    rpn_head=dict(type='nasbnn_det.BinaryRPNHead', in_channels=None, feat_channels=128),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=None),
        bbox_head=dict(
            _delete_=True,
            type='nasbnn_det.BinaryBBoxHead',
            conv_out_channels=256,
            num_classes=80,
            # Deltas per class would make the predictors the costliest part of the second stage.
            reg_class_agnostic=True)))
