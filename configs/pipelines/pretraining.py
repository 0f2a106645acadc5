# What pretraining brings: the same detector from a random backbone, from the supernet (deployment A) and fine-tuned
# (deployment B), three seeds each, on ShapesCOCO at a short schedule.
data_root = 'data/shapes'

_supernet = 'configs/supernet/nasbnn-supernet-tiny_1xb32-3e_shapes-48.py'
_search = 'configs/search/nasbnn-search-tiny_shapes-48.py'
_finetune = 'configs/finetune/nasbnn-tiny_1xb64-12e_shapes-48.py'
_detector = 'configs/detection/rtmdet/rtmdet_nasbnn-tiny_1xb16-4e_shapes-128px.py'

_cls_data = {
    'train_dataloader.dataset.data_root': '{data_root}',
    'val_dataloader.dataset.data_root': '{data_root}',
}
_det_data = {
    **_cls_data,
    'test_dataloader.dataset.data_root': '{data_root}',
    'val_evaluator.ann_file': '{data_root}/annotations/instances_val.json',
    'test_evaluator.ann_file': '{data_root}/annotations/instances_val.json',
    'model.backbone.arch': '{extract}/arch.json',
}
_starts = dict(random=None, supernet='{extract}/subnet.pth', finetuned='{finetune.checkpoint}')


def _train(name, config, options):
    return dict(
        name=name, tool='tools/train.py', args=[config, '--work-dir', '{stage_dir}'], cfg_options=options, resume=True)


def _start(checkpoint):
    if checkpoint is None:
        return {}
    return {'model.backbone.init_cfg.type': 'Pretrained', 'model.backbone.init_cfg.checkpoint': checkpoint}


stages = [
    dict(name='data', tool='tools/dataset_converters/shapes_coco.py', args=['--out', '{data_root}']),
    _train('supernet', _supernet, _cls_data),
    _train('search', _search, {**_cls_data, 'train_cfg.supernet': '{supernet.checkpoint}'}),
    dict(
        name='extract',
        tool='tools/model_converters/extract_subnet.py',
        args=[
            _search, '{supernet.checkpoint}', '--arch', '{search}/front.json', '--out', '{stage_dir}/subnet.pth',
            '--shape', '48', '48', '--work-dir', '{stage_dir}'
        ],
        cfg_options=_cls_data),
    _train('finetune', _finetune, {
        **_cls_data,
        'model.backbone.arch': '{extract}/arch.json',
        'model.backbone.init_cfg.checkpoint': '{extract}/subnet.pth',
        'model.head.init_cfg.checkpoint': '{extract}/subnet.pth',
        'test_dataloader.dataset.data_root': '{data_root}',
    }),
]
for _seed in range(3):
    for _name, _checkpoint in _starts.items():
        stages.append(
            _train(f'{_name}_{_seed}', _detector, {**_det_data, **_start(_checkpoint), 'randomness.seed': _seed}))
stages.append(
    dict(
        name='comparison',
        tool='tools/analysis_tools/compare_runs.py',
        args=[f'{_name}={{{_name}_{_seed}}}' for _name in _starts for _seed in range(3)]
        + ['--work-dir', '{stage_dir}']))
