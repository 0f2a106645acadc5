_base_ = [
    '../../_base_/models/ssd_nasbnn_57m.py',
    '../../_base_/datasets/coco_320px.py',
    '../../_base_/schedules/detector_adamw_100e.py',
    '../../_base_/default_runtime_det_ema.py',
]
