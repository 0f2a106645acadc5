# A COCO-format set in DATA_ROOT/train, DATA_ROOT/val and DATA_ROOT/annotations. A child names its type, its place and the
# pipelines.
train_dataloader = dict(
    batch_size=16,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(ann_file='annotations/instances_train.json', data_prefix=dict(img='train/')))
val_dataloader = dict(
    batch_size=16,
    num_workers=1,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(ann_file='annotations/instances_val.json', data_prefix=dict(img='val/'), test_mode=True))
test_dataloader = val_dataloader
# The metric takes its annotations from the data set.
val_evaluator = dict(type='nasbnn_det.FastCocoMetric', metric='bbox')
test_evaluator = val_evaluator
