# The full-precision twin: the same modules in the same places, nothing binarised (the stem keeps its 8-bit weights).
_base_ = './ssd_nasbnn-57m_8xb16-100e_coco-320px.py'

model = dict(
    backbone=dict(precision='float'),
    neck=dict(precision='float'),
    bbox_head=dict(precision='float', quant_predictors=False))
optim_wrapper = dict(optimizer=dict(lr=1e-3))
