# The same chain on photographs: DATA_ROOT/cls_tiny holds images by class, DATA_ROOT/coco_tiny a COCO-format set. The
# three stages of NASB on the former, a report of the found cells, then a detector on them on the latter. {work_dir},
# {data_root}, {stage_dir} and the names of earlier stages are filled in.
data_root = 'data'

pretrain_config = 'configs/nasb/nasb-pretrain-r18-tiny_1xb64-2e_imagefolder-32.py'
search_config = 'configs/nasb/nasb-search-r18-tiny_1xb64-6e_imagefolder-32.py'
finetune_config = 'configs/nasb/nasb-finetune-r18-tiny_1xb64-10e_imagefolder-32.py'
detector_config = 'configs/nasb/rtmdet_nasb-r18-tiny_1xb4-60e_coco-tiny-320.py'

cls_data = {
    'train_dataloader.dataset.data_root': '{data_root}/cls_tiny',
    'val_dataloader.dataset.data_root': '{data_root}/cls_tiny',
}
det_data = {
    'train_dataloader.dataset.data_root': '{data_root}/coco_tiny',
    'val_dataloader.dataset.data_root': '{data_root}/coco_tiny',
    'test_dataloader.dataset.data_root': '{data_root}/coco_tiny',
    'val_evaluator.ann_file': '{data_root}/coco_tiny/annotations/instances_val.json',
    'test_evaluator.ann_file': '{data_root}/coco_tiny/annotations/instances_val.json',
}
found = {'model.backbone.cells': '{search}/cells.json'}

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
        args=[detector_config, '--shape', '320', '320', '--history', '{search}/edge_weights.jsonl', '--work-dir',
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
        cfg_options={**det_data, **found, 'model.backbone.init_cfg.type': 'Pretrained',
                     'model.backbone.init_cfg.checkpoint': '{finetune.checkpoint}'},
        resume=True),
    dict(
        name='operations',
        tool='tools/analysis_tools/get_ops.py',
        args=[detector_config, '--shape', '320', '320', '--out', '{stage_dir}/result.json'],
        cfg_options=found),
    dict(
        name='evaluation_on_train',
        tool='tools/test.py',
        args=[detector_config, '{detector.checkpoint}', '--work-dir', '{stage_dir}'],
        cfg_options={
            **det_data, **found, 'test_dataloader.dataset.ann_file': 'annotations/instances_train.json',
            'test_dataloader.dataset.data_prefix.img': 'train/',
            'test_evaluator.ann_file': '{data_root}/coco_tiny/annotations/instances_train.json'
        }),
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
