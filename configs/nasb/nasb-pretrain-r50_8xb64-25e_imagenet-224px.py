# Stage 1: ResNet-50, otherwise as ResNet-18.
_base_ = './nasb-pretrain-r18_8xb64-25e_imagenet-224px.py'

model = dict(backbone=dict(depth=50))
