_base_ = './rtmdet_nasbnn-tiny_1xb16-9e_shapes-128px.py'

max_epochs = 24
train_cfg = dict(max_epochs=max_epochs, val_interval=4)
param_scheduler = _base_.param_scheduler
param_scheduler[1].update(end=max_epochs, T_max=max_epochs)
