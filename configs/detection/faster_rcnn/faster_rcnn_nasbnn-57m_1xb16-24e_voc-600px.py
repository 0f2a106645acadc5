_base_ = [
    '../../_base_/models/faster_rcnn_nasbnn_57m.py',
    'mmdet::_base_/datasets/voc0712.py',
    '../../_base_/schedules/detector_adamw_24e.py',
    '../../_base_/default_runtime_det_ema.py',
]

model = dict(roi_head=dict(bbox_head=dict(num_classes=20)))
train_dataloader = dict(batch_size=16)
