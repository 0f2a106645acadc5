# All of NAS-BNN's strategies on 32 px images, in minutes; each file beside this one leaves one out.
_base_ = [
    '../../_base_/datasets/imagefolder_32_cls.py',
    '../../_base_/schedules/supernet_adam_short.py',
    '../../_base_/default_runtime_cls.py',
]

# Rows of channels, depths, kernels, groups of the k x k and of the 1 x 1 convolution, stride.
space = [
    [[16, 24], [1], [3], [1], [1], 2],
    [[32, 48], [1, 2], [3], [1], [1], 2],
    [[64, 96], [1, 2], [3, 5], [1, 2], [1], 2],
    [[128, 192], [2, 3], [3, 5], [2, 4], [1], 2],
]
model = dict(
    type='nasbnn_det.SupernetClassifier',
    space=space,
    num_classes=10,
    seed=0,
    data_preprocessor=_base_.data_preprocessor)
model_wrapper_cfg = dict(type='nasbnn_det.SupernetDistributedDataParallel')
train_cfg = dict(max_epochs=12, val_interval=12)
