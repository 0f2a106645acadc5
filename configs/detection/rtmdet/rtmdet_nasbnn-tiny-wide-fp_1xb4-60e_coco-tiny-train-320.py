# The full-precision counterpart: the same modules in the same places, nothing binarised (the stem keeps its 8-bit weights).
_base_ = './rtmdet_nasbnn-tiny-wide_1xb4-60e_coco-tiny-train-320.py'

model = dict(binarization='float')
