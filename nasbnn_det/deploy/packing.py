"""From a config and its checkpoint to a packed file."""
import copy
import hashlib
import os
from pathlib import Path
from typing import Any, Dict, List, Optional, Union

from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from torch import nn

from ..apis.checkpoint import check_checkpoint
from ..models.dense_heads import BinaryRTMDetHead
from ..models.necks import BinaryPAFPN
from ..runtime import pack
from ..runtime.chain import PackedChain
from ..runtime.file import PackedFile, split_packed
from .preprocessing import read_preprocessing


def pack_checkpoint(cfg: Config, checkpoint: Union[str, os.PathLike]) -> PackedFile:
    """Packs a trained model.

    Args:
        cfg (Config): Its config: of a detector, or of a classifier of MMPretrain; it is not changed.
        checkpoint: Its checkpoint; keys must match.

    Returns:
        PackedFile: With a description of the network where it can stand by itself: a detector of a found backbone,
        :class:`BinaryPAFPN` and :class:`BinaryRTMDetHead` whose images are prepared in a way that the file has words for.
        Otherwise ``needs_config`` says why not.

    Raises:
        FileNotFoundError: If there is no such checkpoint.
        ValueError: If keys differ, or nothing in the model is binary.
    """
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    model_cfg = copy.deepcopy(cfg.model)
    if 'backbone' in model_cfg:
        model_cfg.backbone.init_cfg = None  # the checkpoint brings all weights
    model = MODELS.build(model_cfg)
    weights, meta = check_checkpoint(model, checkpoint)
    model.load_state_dict(weights)
    packed = pack(model.eval())
    chains, state = split_packed(packed)
    arch = getattr(getattr(model, 'backbone', None), 'arch', None)
    network, preprocessing, needs_config = describe_network(packed), None, None
    if network is None:
        needs_config = 'its network has parts that only MMDetection knows'
    else:
        try:
            preprocessing = read_preprocessing(cfg, model)
        except ValueError as error:
            network, needs_config = None, str(error)
    info = dict(
        network=network, needs_config=needs_config, classes=_classes(meta, cfg),
        preprocessing=None if preprocessing is None else preprocessing.to_dict(),
        input_size=None if preprocessing is None else list(preprocessing.pad_size or preprocessing.scale or ()) or None,
        arch=None if arch is None else arch.to_dict(),
        source_sha256=hashlib.sha256(Path(checkpoint).read_bytes()).hexdigest())
    return PackedFile(chains, state, info)


def describe_network(model: nn.Module) -> Optional[Dict[str, Any]]:
    """What :class:`nasbnn_det.runtime.PackedDetector` needs to build a packed detector without MMDetection.

    Args:
        model (nn.Module): A packed detector of MMDetection.

    Returns:
        dict | None: None if it has parts that only MMDetection knows.
    """
    backbone, neck, head, test_cfg = (getattr(model, name, None) for name in ('backbone', 'neck', 'bbox_head', 'test_cfg'))
    if not (isinstance(backbone, PackedChain) and isinstance(neck, BinaryPAFPN) and isinstance(head, BinaryRTMDetHead)):
        return None
    if len(neck.extra) or not all(isinstance(layer, PackedChain) for layer in head.rtm_cls):
        return None
    if test_cfg is None or test_cfg.nms.get('type', 'nms') != 'nms' or test_cfg.nms.get('class_agnostic'):
        return None
    points = head.prior_generator
    return dict(
        kind='rtmdet', num_classes=head.num_classes, strides=[stride[0] for stride in points.strides],
        offset=float(points.offset), score_thr=test_cfg.score_thr, nms_pre=test_cfg.get('nms_pre', -1),
        iou_threshold=test_cfg.nms.iou_threshold, max_per_img=test_cfg.max_per_img,
        min_bbox_size=test_cfg.get('min_bbox_size', -1))


def _classes(meta: Dict[str, Any], cfg: Config) -> List[str]:
    meta = meta.get('dataset_meta') or {}
    metainfo = cfg.get('test_dataloader', {}).get('dataset', {}).get('metainfo') or {}
    return list(meta.get('classes') or meta.get('CLASSES') or metainfo.get('classes') or ())
