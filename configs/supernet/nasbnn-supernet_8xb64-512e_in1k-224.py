# The paper's supernet: 8 GPUs, 512 images a step, 512 epochs; about 240 GPU-days with the search, by the paper.
_base_ = [
    '../_base_/models/supernet.py',
    '../_base_/datasets/imagenet_cls.py',
    '../_base_/schedules/supernet_adam.py',
    '../_base_/default_runtime_cls.py',
]

model = dict(space='imagenet', num_classes=1000, data_preprocessor=_base_.data_preprocessor)
auto_scale_lr = dict(enable=False, base_batch_size=512)
