# COCO 2017 at 320 px: random scale and crop, colours, flips.
_base_ = './coco_800.py'

from nasbnn_det.datasets.pipelines import detection_pipelines

train_pipeline, test_pipeline = detection_pipelines((320, 320), crop=True)
# A last batch of one image would leave a batch norm without statistics.
train_dataloader = dict(
    batch_size=16, num_workers=8, batch_sampler=None, drop_last=True, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(batch_size=16, num_workers=8, dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
