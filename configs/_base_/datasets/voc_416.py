_base_ = './voc_320.py'

from nasbnn_det.datasets.pipelines import detection_pipelines

train_pipeline, test_pipeline = detection_pipelines((416, 416), crop=True)
years = [dict(year, pipeline=train_pipeline) for year in _base_.train_dataloader.dataset.datasets]
train_dataloader = dict(dataset=dict(datasets=years))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
