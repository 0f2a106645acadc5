_base_ = './rtmdet_nasbnn-tiny_1xb16-8e_shapes-128.py'

train_cfg = dict(max_epochs=24, val_interval=4)
