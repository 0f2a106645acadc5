# Pascal VOC 2007 + 2012 at 1000 x 600, aspect ratio kept, tested on VOC 2007. MMDetection's repeats the training set three
# times an epoch; here an epoch is one.
_base_ = 'mmdet::_base_/datasets/voc0712.py'

train_dataloader = dict(batch_size=16, dataset=dict(_delete_=True, **_base_.train_dataloader.dataset.dataset))
