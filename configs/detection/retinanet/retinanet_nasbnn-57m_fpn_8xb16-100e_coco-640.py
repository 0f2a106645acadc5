_base_ = [
    'mmdet::_base_/models/retinanet_r50_fpn.py',
    '../../_base_/datasets/coco_640.py',
    '../../_base_/schedules/detector_adamw_long.py',
    '../../_base_/default_runtime_det_ema.py',
]

# The architecture becomes a part of the config; the channels of neck and head follow from it.
from mmengine.fileio import load

arch = load('{{ fileDirname }}/../../_base_/archs/nasbnn-57m.json')
model = dict(
    type='nasbnn_det.BinaryRetinaNet',
    data_preprocessor=dict(mean=[127.5] * 3, std=[127.5] * 3),
    backbone=dict(
        _delete_=True, type='nasbnn_det.NASBNN', arch=arch, space='imagenet', out_indices=(3, 4, 5)),
    neck=dict(
        _delete_=True, type='nasbnn_det.BinaryFPN', out_channels=256, num_outs=5),
    bbox_head=dict(type='nasbnn_det.BinaryRetinaHead', in_channels=None))
