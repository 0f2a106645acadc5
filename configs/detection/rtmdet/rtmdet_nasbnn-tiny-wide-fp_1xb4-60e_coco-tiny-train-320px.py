# The full-precision twin: the same modules in the same places, nothing binarised (the stem keeps its 8-bit weights).
_base_ = './rtmdet_nasbnn-tiny-wide_1xb4-60e_coco-tiny-train-320px.py'

model = dict(
    backbone=dict(precision='float'),
    neck=dict(precision='float'),
    bbox_head=dict(precision='float', quant_predictors=False))
