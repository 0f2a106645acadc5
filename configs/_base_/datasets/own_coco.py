# A COCO-format set of one's own at 320 px; set data_root and metainfo.classes of the three loaders.
_base_ = './coco_format.py'

from nasbnn_det.datasets.pipelines import detection_pipelines

own = dict(type='nasbnn_det.CheckedCocoDataset', data_root='data/mine/')
train_pipeline, test_pipeline = detection_pipelines((320, 320), loader='nasbnn_det.LoadImage')
train_dataloader = dict(
    batch_size=8, dataset=dict(filter_cfg=dict(filter_empty_gt=False), pipeline=train_pipeline, **own))
val_dataloader = dict(batch_size=8, dataset=dict(pipeline=test_pipeline, **own))
test_dataloader = val_dataloader
