# Pascal VOC 2007 + 2012 at 320 px, tested on VOC 2007.
_base_ = './voc_600.py'

from nasbnn_det.datasets.pipelines import detection_pipelines

train_pipeline, test_pipeline = detection_pipelines((320, 320), crop=True)
years = [dict(year, pipeline=train_pipeline) for year in _base_.train_dataloader.dataset.datasets]
# A last batch of one image would leave a batch norm without statistics.
train_dataloader = dict(num_workers=8, batch_sampler=None, drop_last=True, dataset=dict(datasets=years))
val_dataloader = dict(batch_size=16, num_workers=8, dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
