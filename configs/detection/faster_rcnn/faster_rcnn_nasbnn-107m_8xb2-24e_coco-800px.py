_base_ = [
    '../../_base_/models/faster_rcnn_nasbnn_107m.py',
    '../../_base_/datasets/coco_800px.py',
    '../../_base_/schedules/detector_adamw_24e.py',
    '../../_base_/default_runtime_det_ema.py',
]

# Two images are too few for the statistics of a batch norm; those of all processes are taken.
sync_bn = 'torch'
