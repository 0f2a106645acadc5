# Your own images by class in DATA_ROOT/train and DATA_ROOT/val; set model.num_classes and the data_root of both loaders.
_base_ = './nasbnn-supernet_8xb64-512e_in1k-224.py'

train_dataloader = dict(dataset=dict(data_root='data/cls/', ann_file=''))
val_dataloader = dict(dataset=dict(data_root='data/cls/', ann_file='', data_prefix='val'))
