# NASB from nothing to a detector's mAP in minutes: the three stages of the search on crops of ShapesCOCO, a report of
# the found cells, then a detector on them. {work_dir}, {data_root}, {stage_dir} and the names of earlier stages are
# filled in.
data_root = 'data/shapes'

pretrain_config = 'configs/nasb/nasb-pretrain-r18-tiny_1xb32-2e_shapes-48.py'
search_config = 'configs/nasb/nasb-search-r18-tiny_1xb32-4e_shapes-48.py'
finetune_config = 'configs/nasb/nasb-finetune-r18-tiny_1xb32-4e_shapes-48.py'
detector_config = 'configs/nasb/rtmdet_nasb-r18-tiny_1xb16-9e_shapes-128.py'

cls_data = {
    'train_dataloader.dataset.data_root': '{data_root}',
    'val_dataloader.dataset.data_root': '{data_root}',
}
det_data = {
    'train_dataloader.dataset.data_root': '{data_root}',
    'val_dataloader.dataset.data_root': '{data_root}',
    'test_dataloader.dataset.data_root': '{data_root}',
    'val_evaluator.ann_file': '{data_root}/annotations/instances_val.json',
    'test_evaluator.ann_file': '{data_root}/annotations/instances_val.json',
}
found = {'model.backbone.cells': '{search}/cells.json'}

stages = [
    dict(name='data', tool='tools/dataset_converters/shapes_coco.py', args=['--out', '{data_root}']),
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
        args=[detector_config, '--shape', '128', '128', '--history', '{search}/edge_weights.jsonl', '--work-dir',
              '{stage_dir}'],
        cfg_options=found),
    dict(
        name='finetune',
        tool='tools/train.py',
        args=[finetune_config, '--work-dir', '{stage_dir}'],
        cfg_options={**cls_data, **found, 'model.backbone.init_cfg.checkpoint': '{search.checkpoint}',
                     'model.head.init_cfg.checkpoint': '{search.checkpoint}'},
        resume=True),
    dict(
        name='detector',
        tool='tools/train.py',
        args=[detector_config, '--work-dir', '{stage_dir}'],
        # Evaluated by a stage of its own.
        cfg_options={**det_data, **found, 'model.backbone.init_cfg.type': 'Pretrained',
                     'model.backbone.init_cfg.checkpoint': '{finetune.checkpoint}', 'train_cfg.val_begin': 99},
        resume=True),
    dict(
        name='operations',
        tool='tools/analysis_tools/get_ops.py',
        args=[detector_config, '--shape', '128', '128', '--out', '{stage_dir}/result.json'],
        cfg_options=found),
    dict(
        name='evaluation',
        tool='tools/test.py',
        args=[detector_config, '{detector.checkpoint}', '--work-dir', '{stage_dir}'],
        cfg_options={**det_data, **found}),
    dict(
        name='pictures',
        tool='tools/analysis_tools/draw_detections.py',
        args=[detector_config, '{detector.checkpoint}', '--out', '{stage_dir}/detections.png'],
        cfg_options={**det_data, **found}),
]
