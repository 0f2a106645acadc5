# ReActNet-A under the headline detector's neck and head.
_base_ = './rtmdet_nasbnn_57m.py'

model = dict(
    backbone=dict(_delete_=True, type='nasbnn_det.ReActNet', out_indices=(2, 3, 4)),
    neck=dict(in_channels=(256, 512, 1024)))
