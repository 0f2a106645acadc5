_base_ = [
    '../../_base_/models/faster_rcnn_nasbnn_57m.py',
    '../../_base_/datasets/coco_800.py',
    '../../_base_/schedules/detector_adamw_long.py',
    '../../_base_/default_runtime_det_ema.py',
]

# Two images are too few for the statistics of a batch norm; those of all processes are taken.
sync_bn = 'torch'
train_cfg = dict(max_epochs=24, val_interval=4)
auto_scale_lr = dict(base_batch_size=16)
