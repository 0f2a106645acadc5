_base_ = [
    '../../_base_/models/faster_rcnn_nasbnn_57m.py',
    '../../_base_/datasets/voc_600.py',
    '../../_base_/schedules/detector_adamw_long.py',
    '../../_base_/default_runtime_det_ema.py',
]

model = dict(roi_head=dict(bbox_head=dict(num_classes=20)))
train_cfg = dict(max_epochs=72, val_interval=12)
auto_scale_lr = dict(base_batch_size=16)
