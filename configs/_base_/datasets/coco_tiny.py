# 217 COCO images; those without objects are left out.
_base_ = './own_coco.py'

photographs = dict(data_root='data/coco_tiny/')
train_dataloader = dict(batch_size=4, dataset=dict(filter_cfg=dict(filter_empty_gt=True), **photographs))
val_dataloader = dict(dataset=photographs)
test_dataloader = val_dataloader
