# The same chain on photographs: DATA_ROOT/cls_tiny holds images by class, DATA_ROOT/coco_tiny a COCO-format set.
# {work_dir}, {data_root}, {stage_dir} and the names of earlier stages are filled in.
data_root = 'data'

supernet_config = 'configs/supernet/nasbnn-supernet-tiny_1xb32-4e_imagefolder-48.py'
search_config = 'configs/search/nasbnn-search-tiny_imagefolder-48.py'
detector_config = 'configs/detection/rtmdet/rtmdet_nasbnn-tiny_1xb4-60e_coco-tiny-320.py'

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
found = {'model.backbone.arch': '{extract}/arch.json'}

stages = [
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
        cfg_options={**det_data, **found, 'model.backbone.init_cfg.type': 'Pretrained',
                     'model.backbone.init_cfg.checkpoint': '{extract}/subnet.pth'},
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
