_base_ = './voc_320px.py'

image_scale = (416, 416)
train_pipeline = _base_.train_pipeline
train_pipeline[2].scale = train_pipeline[3].crop_size = train_pipeline[6].size = image_scale
test_pipeline = _base_.test_pipeline
test_pipeline[1].scale = test_pipeline[2].size = image_scale
train_dataloader = _base_.train_dataloader
train_dataloader.dataset.dataset.datasets[0].pipeline = train_pipeline
train_dataloader.dataset.dataset.datasets[1].pipeline = train_pipeline
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
