_base_ = './faster-rcnn_bireal-r18_fpn_8xb2-24e_coco-800.py'

model = dict(backbone=dict(style='reactnet'))
