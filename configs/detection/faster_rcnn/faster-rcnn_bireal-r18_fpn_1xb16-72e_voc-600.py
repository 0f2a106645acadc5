_base_ = './faster-rcnn_nasbnn-57m_fpn_1xb16-72e_voc-600.py'

model = dict(backbone=dict(_delete_=True, type='nasbnn_det.BinaryResNet', depth=18, style='bireal'))
