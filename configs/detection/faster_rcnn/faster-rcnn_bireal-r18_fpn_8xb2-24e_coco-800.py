# Bi-Real ResNet-18 under the binary neck and heads. Its stem and size-changing shortcuts are float, as published.
_base_ = './faster-rcnn_nasbnn-57m_fpn_8xb2-24e_coco-800.py'

model = dict(backbone=dict(_delete_=True, type='nasbnn_det.BinaryResNet', depth=18, style='bireal'))
