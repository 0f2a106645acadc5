# The full-precision twin: the same modules in the same places, nothing binarised (the stem keeps its 8-bit weights).
_base_ = './faster_rcnn_nasbnn-180m_1xb16-24e_voc-600px.py'

model = dict(
    backbone=dict(precision='float'),
    neck=dict(precision='float'),
    rpn_head=dict(precision='float', quant_predictors=False),
    roi_head=dict(bbox_head=dict(precision='float', quant_predictors=False)))
optim_wrapper = dict(optimizer=dict(lr=1e-3))
