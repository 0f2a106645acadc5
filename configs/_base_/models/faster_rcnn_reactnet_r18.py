_base_ = './faster_rcnn_bireal_r18.py'

model = dict(backbone=dict(style='reactnet'))
