# Fine-tunes an extracted network; the real validation images are used here. Both files come from extract_subnet.py.
_base_ = [
    '../_base_/models/subnet_classifier.py',
    '../_base_/datasets/imagenet_cls.py',
    '../_base_/schedules/finetune_adam.py',
    '../_base_/default_runtime_cls.py',
]

arch = 'work_dirs/extract/arch.json'
subnet = 'work_dirs/extract/subnet.pth'
model = dict(
    backbone=dict(arch=arch, out_indices=(5, ), init_cfg=dict(type='Pretrained', checkpoint=subnet)),
    head=dict(num_classes=1000, init_cfg=dict(type='Pretrained', checkpoint=subnet)),
    data_preprocessor=_base_.data_preprocessor)
val_dataloader = dict(dataset=dict(ann_file='', data_prefix='val'))
test_dataloader = _base_.val_dataloader
test_dataloader.dataset.update(ann_file='', data_prefix='val')
test_cfg = dict()
test_evaluator = dict(type='Accuracy', topk=(1, 5))
auto_scale_lr = dict(enable=False, base_batch_size=512)
