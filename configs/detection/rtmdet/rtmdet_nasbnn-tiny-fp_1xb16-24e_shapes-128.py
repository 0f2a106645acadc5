# The full-precision counterpart: the same modules in the same places, nothing binarised (the stem keeps its 8-bit weights).
_base_ = './rtmdet_nasbnn-tiny_1xb16-24e_shapes-128.py'

model = dict(binarization='float')
optim_wrapper = dict(optimizer=dict(lr=2e-3))
