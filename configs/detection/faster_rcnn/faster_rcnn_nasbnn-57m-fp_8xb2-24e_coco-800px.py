# The full-precision counterpart: the same modules in the same places, nothing binarised (the stem keeps its 8-bit weights).
_base_ = './faster_rcnn_nasbnn-57m_8xb2-24e_coco-800px.py'

model = dict(binarization='float')
optim_wrapper = dict(optimizer=dict(lr=1e-3))
