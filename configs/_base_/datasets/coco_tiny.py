# A small COCO-format set at 320 px.
_base_ = './coco_format.py'

from nasbnn_det.datasets.pipelines import detection_pipelines

photographs = dict(type='nasbnn_det.CheckedCocoDataset', data_root='data/coco_tiny/')
train_pipeline, test_pipeline = detection_pipelines((320, 320), loader='nasbnn_det.LoadImage')
train_dataloader = dict(
    batch_size=4, dataset=dict(filter_cfg=dict(filter_empty_gt=True), pipeline=train_pipeline, **photographs))
val_dataloader = dict(batch_size=8, dataset=dict(pipeline=test_pipeline, **photographs))
test_dataloader = val_dataloader
