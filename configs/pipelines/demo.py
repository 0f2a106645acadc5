# From nothing to a detector's mAP in minutes on two CPU cores: `make demo`. Each stage is a process of its own;
# {work_dir}, {data_root}, {stage_dir} and the names of earlier stages are filled in.
data_root = 'data/shapes'

supernet_config = 'configs/supernet/nasbnn-supernet-tiny_1xb32-3e_shapes-48.py'
search_config = 'configs/search/nasbnn-search-tiny_shapes-48.py'
detector_config = 'configs/detection/rtmdet/rtmdet_nasbnn-tiny_1xb16-9e_shapes-128.py'

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
found = {'model.backbone.arch': '{extract}/arch.json'}

stages = [
    dict(name='data', tool='tools/dataset_converters/shapes_coco.py', args=['--out', '{data_root}']),
    dict(
        name='supernet',
        tool='tools/train.py',
        args=[supernet_config, '--work-dir', '{stage_dir}'],
        cfg_options=cls_data,
        resume=True),
    dict(
        name='search',
        tool='tools/train.py',
        args=[search_config, '--work-dir', '{stage_dir}'],
        cfg_options={**cls_data, 'train_cfg.supernet': '{supernet.checkpoint}'},
        resume=True),
    dict(
        name='extract',
        tool='tools/model_converters/extract_subnet.py',
        args=[
            search_config, '{supernet.checkpoint}', '--arch', '{search}/front.json', '--out', '{stage_dir}/subnet.pth',
            '--shape', '48', '48', '--work-dir', '{stage_dir}'
        ],
        cfg_options=cls_data),
    dict(
        name='detector',
        tool='tools/train.py',
        args=[detector_config, '--work-dir', '{stage_dir}'],
        # Evaluated by a stage of its own.
        cfg_options={**det_data, **found, 'model.backbone.init_cfg.type': 'Pretrained',
                     'model.backbone.init_cfg.checkpoint': '{extract}/subnet.pth', 'train_cfg.val_begin': 99},
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
