_base_ = [
    '../../_base_/models/ssd_nasbnn_57m.py',
    '../../_base_/datasets/coco_320.py',
    '../../_base_/schedules/detector_adamw_long.py',
    '../../_base_/default_runtime_det_ema.py',
]
