_base_ = [
    '../_base_/models/supernet_tiny.py',
    '../_base_/datasets/shapes_cls.py',
    '../_base_/schedules/supernet_adam.py',
    '../_base_/default_runtime_cls.py',
]

max_epochs = 5
model = dict(num_classes=5, data_preprocessor=_base_.data_preprocessor)
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
param_scheduler = dict(end=max_epochs, T_max=max_epochs, convert_to_iter_based=True)
# Few steps, so the linear layer learns slower than the rest: at the full rate its logits run away at first.
optim_wrapper = dict(
    optimizer=dict(lr=1e-3),
    paramwise_cfg=dict(custom_keys={
        'fc.weight': dict(lr_mult=0.1),
        'fc.bias': dict(lr_mult=0.1, decay_mult=0.0)
    }))
