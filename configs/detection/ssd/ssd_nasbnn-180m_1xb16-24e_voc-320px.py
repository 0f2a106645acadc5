_base_ = [
    '../../_base_/models/ssd_nasbnn_180m.py',
    '../../_base_/datasets/voc_320px.py',
    '../../_base_/schedules/detector_adamw_24e.py',
    '../../_base_/default_runtime_det_ema.py',
]

model = dict(bbox_head=dict(num_classes=20))
