# Trained and evaluated on the same 217 photographs: whether a binary detector can learn them, and how its twin does.
# It begins with what the twin has learned: tools/model_converters/start_from_twin.py writes the file for load_from.
_base_ = [
    '../../_base_/models/rtmdet_nasbnn_tiny.py',
    '../../_base_/datasets/coco_tiny_train.py',
    '../../_base_/schedules/detector_adamw.py',
    '../../_base_/default_runtime_det.py',
]

# Width is what binary networks lack, and it is cheap in operations.
model = dict(neck=dict(out_channels=128), bbox_head=dict(num_classes=80, feat_channels=128))
train_cfg = dict(max_epochs=60, val_interval=10)
# Few images of many classes: the class predictors have further to go than on the made set.
optim_wrapper = dict(optimizer=dict(lr=2e-3), paramwise_cfg=dict(groups=dict(class_predictors=dict(lr_mult=0.3))))
