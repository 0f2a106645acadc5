_base_ = [
    '../../_base_/models/rtmdet_nasbnn_tiny.py',
    '../../_base_/datasets/shapes_coco.py',
    '../../_base_/schedules/detector_adamw.py',
    '../../_base_/default_runtime_det.py',
]

model = dict(bbox_head=dict(num_classes=5))
train_cfg = dict(max_epochs=8, val_interval=8)
