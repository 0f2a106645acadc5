"""Small detectors of every kind, with random weights that find many things, and what MMDetection makes of a picture."""
import cv2
import numpy as np
import torch
from mmcv.transforms import Compose
from mmdet.utils import register_all_modules
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import save_checkpoint

from nasbnn_det.arch import SPACES, Arch
from nasbnn_det.binary import RSign
from nasbnn_det.registry import MODELS
from nasbnn_det.supernet import recalibrate_bn

CLASSES = ['circle', 'red square', 'star', 'cross']
SIZE = 96
_TEXT = '''
_base_ = {base!r}

from nasbnn_det.datasets.pipelines import detection_pipelines

pipeline = detection_pipelines(({size}, {size}), pad={pad})[1]
model = dict(
    _delete_=True, type='nasbnn_det.{type}',
    data_preprocessor=dict(type='DetDataPreprocessor', mean=[120, 130, 125], std=[60, 50, 55], bgr_to_rgb=True,
                           pad_size_divisor=32),
    backbone=dict(type='nasbnn_det.NASBNN', arch={arch}, out_indices={indices}), neck=dict({neck}),
    bbox_head=dict(type='nasbnn_det.{type}Head', num_classes={classes}, {head}),
    test_cfg=dict(nms_pre={nms_pre}, min_bbox_size=0, score_thr={score_thr}, nms=dict(type='nms', iou_threshold=0.5),
                  max_per_img=30))
test_dataloader = dict(dataset=dict(pipeline=pipeline, metainfo=dict(classes={names})))
'''
_BBOX = 'bbox_coder=dict(type="DeltaXYWHBBoxCoder", target_stds=[0.1, 0.1, 0.2, 0.2])'
#: Type, levels, neck, head, padding by the pipeline, candidates a level, lowest score.
KINDS = {
    'rtmdet': ('BinaryRTMDet', (2, 3, 4), 'type="nasbnn_det.BinaryPAFPN", out_channels=8',
               'feat_channels=8, stacked_convs=1, bbox_coder=dict(type="DistancePointBBoxCoder"), '
               'anchor_generator=dict(type="MlvlPointGenerator", offset=0, strides=[8, 16, 32])', True, 40, 0.3),
    'retinanet': ('BinaryRetina', (2, 3, 4), 'type="nasbnn_det.BinaryFPN", out_channels=8, num_outs=3',
                  'feat_channels=8, stacked_convs=1, anchor_generator=dict(type="AnchorGenerator", octave_base_scale=4, '
                  f'scales_per_octave=3, ratios=[0.5, 1.0, 2.0], strides=[8, 16, 32]), {_BBOX}', False, 100, 0.4),
    'fcos': ('BinaryFCOS', (2, 3, 4), 'type="nasbnn_det.BinaryFPN", out_channels=8, num_outs=3',
             'feat_channels=8, stacked_convs=1, norm_on_bbox=False, strides=[8, 16, 32], '
             'regress_ranges=((-1, 64), (64, 128), (128, 1e8))', False, 50, 0.2),
    'ssd': ('BinarySSD', (3, 4), 'type="nasbnn_det.BinarySSDNeck", extra_channels=(16, 16)',
            'anchor_generator=dict(type="SSDAnchorGenerator", scale_major=False, strides=[16, 32, 64, 96], '
            f'ratios=[[2, 3]] * 4, min_sizes=[14, 30, 45, 60], max_sizes=[30, 45, 60, 90]), {_BBOX}', True, 100, 0.1),
}


def make(kind, folder, root):
    """Writes KIND.py and KIND.pth; returns the config's path, the checkpoint's and the detector."""
    register_all_modules(init_default_scope=False)
    init_default_scope('mmdet')
    name, indices, neck, head, pad, nms_pre, score_thr = KINDS[kind]
    text = _TEXT.format(
        base=str(root / 'configs/detection/retinanet/retinanet_nasbnn-57m_fpn_8xb16-100e_coco-640.py'), size=SIZE, pad=pad,
        type=name, arch=Arch.smallest(SPACES['tiny']).to_dict(), indices=indices, neck=neck, classes=len(CLASSES), head=head,
        nms_pre=nms_pre, score_thr=score_thr, names=CLASSES)
    # MMDetection calls the detector RetinaNet and its head RetinaHead.
    text = text.replace('BinaryRetina\'', 'BinaryRetinaNet\'')
    (folder / f'{kind}.py').write_text(text)
    torch.manual_seed(0)
    model = MODELS.build(Config.fromfile(folder / f'{kind}.py').model)
    recalibrate_bn(model, [torch.randn(4, 3, SIZE, SIZE)])
    _spread(model)
    save_checkpoint(dict(state_dict=model.state_dict(), meta=dict(dataset_meta=dict(classes=CLASSES))),
                    str(folder / f'{kind}.pth'))
    return folder / f'{kind}.py', folder / f'{kind}.pth', model


def _spread(model):
    """Gives the predictors such weights that scores and boxes differ from place to place."""
    x = torch.randn(2, 3, SIZE, SIZE)
    predictors = {}
    for module in model.bbox_head.modules():
        if isinstance(module, torch.nn.Conv2d) and module.kernel_size == (1, 1) and not hasattr(module, 'sign'):
            torch.nn.init.normal_(module.weight)
            torch.nn.init.zeros_(module.bias)
            module.register_forward_hook(lambda m, _, y: predictors.__setitem__(m, y.std()))
    with torch.no_grad():
        model.eval()(x)
        for module, std in predictors.items():
            module.weight /= std
            module._forward_hooks.clear()


def clearest(model, cfg, folder, shape):
    """Of some pictures the one in which signs are farthest from their thresholds: floats that are added in another order
    turn none. Returns its file and how far that is."""
    gaps = []
    hooks = [m.register_forward_hook(lambda sign, x, _: gaps.append((x[0] + sign.bias.view(-1, 1, 1)).abs().min().item()))
             for m in model.modules() if isinstance(m, RSign)]
    rng, found = np.random.default_rng(0), {}
    for i in range(12):
        path = folder / f'{i}.png'
        noise = rng.integers(0, 256, (7, 9, 3), dtype=np.uint8)
        cv2.imwrite(str(path), cv2.resize(noise, shape[::-1], interpolation=cv2.INTER_CUBIC))
        gaps.clear()
        mmdetection(model, cfg, path)
        found[path] = min(gaps)
    for hook in hooks:
        hook.remove()
    best = max(found, key=found.get)
    return best, found[best]


def mmdetection(model, cfg, picture, inner=None):
    """Boxes, labels and scores; boxes end at the picture's border, or at that of ``inner``, height and width within the
    network's input."""
    steps = [step for step in cfg.test_dataloader.dataset.pipeline if step['type'] != 'LoadAnnotations']
    data = Compose(steps)(dict(img_path=str(picture), img_id=0))
    sample = data['data_samples']
    height, width = sample.ori_shape
    resized = round(height * sample.scale_factor[1]), round(width * sample.scale_factor[0])
    sample.set_metainfo(dict(img_shape=inner or resized))
    with torch.no_grad():
        found = model.eval().test_step(dict(inputs=[data['inputs']], data_samples=[sample]))[0].pred_instances
    return found.bboxes.numpy(), found.labels.numpy(), found.scores.numpy()
