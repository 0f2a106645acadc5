# ReActNet-A under RTMDet's binary neck and head.
_base_ = './rtmdet_nasbnn_57m.py'

model = dict(backbone=dict(_delete_=True, type='nasbnn_det.ReActNet', out_indices=(2, 3, 4)))
