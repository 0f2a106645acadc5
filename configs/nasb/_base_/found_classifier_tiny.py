# A narrow ResNet-18 for images of 32 to 48 px: a 3 x 3 stem with stride 2 and no pooling behind it.
_base_ = './found_classifier.py'

model = dict(backbone=dict(depth=18, base_channels=16, stem=dict(kernel_size=3, stride=2, pool=False)))
