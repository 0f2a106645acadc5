_base_ = [
    '../../_base_/models/rtmdet_nasbnn_57m.py',
    '../../_base_/datasets/coco_416.py',
    '../../_base_/schedules/detector_adamw_long.py',
    '../../_base_/default_runtime_det_ema.py',
]
