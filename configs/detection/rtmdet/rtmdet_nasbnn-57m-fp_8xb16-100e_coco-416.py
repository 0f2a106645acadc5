# The full-precision counterpart: the same modules in the same places, nothing binarised (the stem keeps its 8-bit weights).
_base_ = './rtmdet_nasbnn-57m_8xb16-100e_coco-416.py'

model = dict(binarization='float')
optim_wrapper = dict(optimizer=dict(lr=1e-3))
