# Is the found network better than the plain one? The search on 32 px images by class; then the plain binary ResNet-18,
# the found one, and the found one with two bases, each trained alone from random weights under one budget, with three
# seeds. DATA_ROOT holds train/CLASS/*.jpg and val/CLASS/*.jpg. Results are in runs.jsonl of each stage, sums in
# report.md.
data_root = 'data/cls_tiny'

pretrain_config = 'configs/nasb/nasb-pretrain-r18-tiny_1xb64-2e_imagefolder-32.py'
search_config = 'configs/nasb/nasb-search-r18-tiny_1xb64-6e_imagefolder-32.py'
train_config = 'configs/nasb/nasb-plain-r18-tiny_1xb64-10e_imagefolder-32.py'

cls_data = {
    'train_dataloader.dataset.data_root': '{data_root}',
    'val_dataloader.dataset.data_root': '{data_root}',
}
found = {'model.backbone.cells': '{search}/cells.json'}
_variants = dict(plain={}, nasb=found, nasb_two_bases={**found, 'model.backbone.num_bases': 2})

stages = [
    dict(
        name='pretrain',
        tool='tools/train.py',
        args=[pretrain_config, '--work-dir', '{stage_dir}'],
        cfg_options=cls_data,
        resume=True),
    dict(
        name='search',
        tool='tools/train.py',
        args=[search_config, '--work-dir', '{stage_dir}'],
        cfg_options={**cls_data, 'model.backbone.init_cfg.checkpoint': '{pretrain.checkpoint}',
                     'model.head.init_cfg.checkpoint': '{pretrain.checkpoint}'},
        resume=True),
    dict(
        name='cells',
        tool='tools/analysis_tools/nasb_report.py',
        args=[train_config, '--shape', '32', '32', '--history', '{search}/edge_weights.jsonl', '--work-dir',
              '{stage_dir}'],
        cfg_options=found),
]
stages += [
    dict(
        name=_name,
        tool='tools/analysis_tools/repeat_training.py',
        args=[train_config, '--seeds', '0', '1', '2', '--shape', '32', '32', '--work-dir', '{stage_dir}'],
        cfg_options={**cls_data, **_options}) for _name, _options in _variants.items()
]
