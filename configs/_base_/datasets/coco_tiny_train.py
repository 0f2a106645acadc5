# Its training images for evaluation too: whether a detector learns, not how it generalises.
_base_ = './coco_tiny.py'

on_train = dict(ann_file='annotations/instances_train.json', data_prefix=dict(img='train/'))
val_dataloader = dict(dataset=on_train)
test_dataloader = val_dataloader
