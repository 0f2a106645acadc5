# The full-precision counterpart: the same modules in the same places, nothing binarised (the stem keeps its 8-bit weights).
_base_ = './retinanet_nasbnn-57m_fpn_8xb16-100e_coco-640.py'

model = dict(binarization='float')
optim_wrapper = dict(optimizer=dict(lr=1e-3))
