# ReActNet-A under RTMDet's binary neck and head.
_base_ = './rtmdet_nasbnn-57m_8xb16-100e_coco-416.py'

model = dict(backbone=dict(_delete_=True, type='nasbnn_det.ReActNet', out_indices=(2, 3, 4)))
