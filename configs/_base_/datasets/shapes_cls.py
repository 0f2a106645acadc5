# Crops of single shapes at 48 px: the classification view of ShapesCOCO.
data_root = 'data/shapes/'
# The preprocessing is the detectors' too, so that pretrained backbones see what they know.
data_preprocessor = dict(
    type='mmpretrain.ClsDataPreprocessor', num_classes=5, mean=[127.5] * 3, std=[127.5] * 3, to_rgb=True)
train_pipeline = [
    dict(type='nasbnn_det.LoadImage'),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='PackInputs'),
]
test_pipeline = [
    dict(type='nasbnn_det.LoadImage'),
    dict(type='PackInputs'),
]
train_dataloader = dict(
    batch_size=32,
    num_workers=1,
    persistent_workers=True,
    drop_last=True,
    collate_fn=dict(type='nasbnn_det.stack_images'),
    dataset=dict(type='CustomDataset', data_root=data_root, data_prefix='cls/train', pipeline=train_pipeline),
    sampler=dict(type='DefaultSampler', shuffle=True))
val_dataloader = dict(
    batch_size=250,
    num_workers=0,
    collate_fn=dict(type='nasbnn_det.stack_images'),
    dataset=dict(type='CustomDataset', data_root=data_root, data_prefix='cls/val', pipeline=test_pipeline),
    sampler=dict(type='DefaultSampler', shuffle=False))
val_evaluator = dict(type='Accuracy', topk=(1, ))
