# The headline detector on ShapesCOCO with a found and fine-tuned backbone, its full-precision twin under the same
# schedule, and the detector distilled from that twin.
data_root = 'data/shapes'

_supernet = 'configs/supernet/nasbnn-supernet-tiny_1xb32-3e_shapes-48.py'
_search = 'configs/search/nasbnn-search-tiny_shapes-48.py'
_finetune = 'configs/finetune/nasbnn-tiny_1xb64-12e_shapes-48.py'
_detector = 'configs/detection/rtmdet/rtmdet_nasbnn-tiny{}_1xb16-24e_shapes-128px.py'

_cls_data = {
    'train_dataloader.dataset.data_root': '{data_root}',
    'val_dataloader.dataset.data_root': '{data_root}',
}
_det_data = {
    **_cls_data,
    'test_dataloader.dataset.data_root': '{data_root}',
    'val_evaluator.ann_file': '{data_root}/annotations/instances_val.json',
    'test_evaluator.ann_file': '{data_root}/annotations/instances_val.json',
}
_found = {'model.backbone.arch': '{extract}/arch.json'}
_pretrained = {
    'model.backbone.init_cfg.type': 'Pretrained',
    'model.backbone.init_cfg.checkpoint': '{finetune.checkpoint}',
}
# The twin's own settings, as its training has written them down: the found architecture is among them.
_teacher = {
    'model.teacher_config': '{twin}/' + _detector.format('-fp').rpartition('/')[2],
    'model.teacher_ckpt': '{twin.checkpoint}',
}


def _train(name, config, options):
    return dict(
        name=name, tool='tools/train.py', args=[config, '--work-dir', '{stage_dir}'], cfg_options=options, resume=True)


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
    _train('binary', _detector.format(''), {**_det_data, **_found, **_pretrained}),
    _train('twin', _detector.format('-fp'), {**_det_data, **_found}),
    _train('distilled', _detector.format('-distilled'), {**_det_data, **_found, **_pretrained, **_teacher}),
    dict(
        name='operations',
        tool='tools/analysis_tools/get_ops.py',
        args=[_detector.format(''), '--shape', '128', '128', '--out', '{stage_dir}/result.json'],
        cfg_options=_found),
    dict(
        name='pictures',
        tool='tools/analysis_tools/draw_detections.py',
        args=[_detector.format(''), '{distilled.checkpoint}', '--out', '{stage_dir}/detections.png'],
        cfg_options={**_det_data, **_found}),
    dict(
        name='comparison',
        tool='tools/analysis_tools/compare_runs.py',
        args=['binary={binary}', 'twin={twin}', 'distilled={distilled}', '--work-dir', '{stage_dir}']),
]
