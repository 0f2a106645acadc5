# A hundred classes of ImageNet in data/imagenet100, the same layout.
_base_ = './nasbnn-supernet_8xb64-512e_imagenet-224px.py'

model = dict(num_classes=100, data_preprocessor=dict(num_classes=100))
train_dataloader = dict(dataset=dict(data_root='data/imagenet100/'))
val_dataloader = dict(dataset=dict(data_root='data/imagenet100/'))
