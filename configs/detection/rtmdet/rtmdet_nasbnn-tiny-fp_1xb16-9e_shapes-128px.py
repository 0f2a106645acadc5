# The full-precision twin: the same modules in the same places, nothing binarised
# (the stem keeps its 8-bit weights).
_base_ = './rtmdet_nasbnn-tiny_1xb16-9e_shapes-128px.py'

model = dict(
    backbone=dict(precision='float'),
    neck=dict(precision='float'),
    bbox_head=dict(precision='float', quant_predictors=False))
optim_wrapper = dict(optimizer=dict(lr=2e-3))
