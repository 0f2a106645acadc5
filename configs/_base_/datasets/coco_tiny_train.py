# The training images of a small COCO-format set, for evaluation too: whether a detector learns, not how it generalises.
_base_ = './coco_tiny.py'

on_train = dict(ann_file='annotations/instances_train.json', data_prefix=dict(img='train/'))
train_dataloader = dict(batch_size=4)
val_dataloader = dict(dataset=on_train)
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=_base_.data_root + 'annotations/instances_train.json')
test_evaluator = val_evaluator
