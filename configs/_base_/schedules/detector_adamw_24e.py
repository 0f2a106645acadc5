# As detector_adamw_100e.py, for 16 images a step: Pascal VOC, whose epochs are three times as long as its training set,
# and Faster R-CNN on COCO.
_base_ = './detector_adamw_100e.py'

max_epochs = 24
train_cfg = dict(max_epochs=max_epochs, val_interval=4)
param_scheduler = _base_.param_scheduler
param_scheduler[1].update(end=max_epochs, T_max=max_epochs)
auto_scale_lr = dict(base_batch_size=16)
