"""From a config and its checkpoint to a packed file."""
import copy
import hashlib
import os
from pathlib import Path
from typing import Any, Dict, Union

import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from torch import Tensor, nn

from ..models.checkpoint import check_checkpoint
from ..runtime import PackedChain, PackedDetector, pack
from ..runtime.file import PackedFile, packed_bytes, split_packed
from ..runtime.native_detector import decode
from . import dense_heads
from .classes import classes_of_model
from .classifier import describe_classifier, is_classifier, size_of_tests
from .preprocessing import read_preprocessing


def pack_checkpoint(cfg: Config, checkpoint: Union[str, os.PathLike]) -> PackedFile:
    """Packs a trained model.

    Args:
        cfg (Config): Its config: of a detector, or of a classifier of MMPretrain; it is not changed.
        checkpoint: Its checkpoint; keys must match.

    Returns:
        PackedFile: With a description of the network where it can stand by itself: a detector of a found backbone,
        a binary neck and the binary head of RTMDet, RetinaNet, FCOS or SSD whose images are prepared in a way that the file
        has words for, or a classifier of a backbone, an average and a linear layer. Otherwise its ``needs_config`` says why
        not.

    Raises:
        FileNotFoundError: If there is no such checkpoint.
        ValueError: If keys differ, classes come in another order than in the config, or nothing in the model is binary.
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
    classes = classes_of_model(meta, cfg, checkpoint)
    network, preprocessing, needs_config = None, None, None
    try:
        if is_classifier(model):
            network, preprocessing = describe_classifier(packed, PackedFile(chains, state))
        else:
            network = describe_network(packed)
        if len(classes) != network['num_classes'] and (classes or not is_classifier(model)):
            raise ValueError(f'its network tells {network["num_classes"]} classes apart, and checkpoint and config name '
                             f'{len(classes)}')
        preprocessing = preprocessing or read_preprocessing(cfg, model)
    except ValueError as error:
        network, preprocessing, needs_config = None, None, str(error)
    info = dict(
        network=network, needs_config=needs_config, classes=classes,
        preprocessing=preprocessing,
        input_size=preprocessing and (preprocessing['pad_size'] or preprocessing['scale']
                                      or (size_of_tests(cfg) if is_classifier(model) else None)),
        arch=None if arch is None else arch.to_dict(),
        source_sha256=hashlib.sha256(Path(checkpoint).read_bytes()).hexdigest())
    return PackedFile(chains, state, info)


def describe_network(model: nn.Module) -> Dict[str, Any]:
    """What :class:`nasbnn_det.runtime.PackedDetector` needs to build a packed detector without MMDetection.

    What it builds and the model itself are run once, on a made image, and decode made maps; they must agree.

    Args:
        model (nn.Module): A packed detector of MMDetection.

    Returns:
        dict: ``kind``, one of :data:`nasbnn_det.deploy.dense_heads.HEADS`, and its settings.

    Raises:
        ValueError: If it has parts that only MMDetection knows.
        RuntimeError: If the kernels can't be compiled.
    """
    chains, _ = split_packed(model)
    try:
        network = dense_heads.describe(model)
        alone = detector_in_memory(chains, network)
        image = torch.randn(1, 3, 96, 160, generator=torch.Generator().manual_seed(0))
        if not _same_maps(alone, model, image):
            raise ValueError('the model computes other maps')
        if not _same_boxes(network, alone, model, image):
            raise ValueError('the model makes other boxes of the same maps')
    except ValueError as error:
        raise ValueError(f'its network has parts that only MMDetection knows ({error})') from error
    return network


def detector_in_memory(chains: Dict[str, PackedChain], network: Dict[str, Any]) -> PackedDetector:
    """A detector of chains and their description, without a file; its classes have no names, and images are not resized.

    Args:
        chains (dict[str, PackedChain]): By the name of the module that each takes the place of.
        network (dict): As :func:`describe_network` returns it.

    Raises:
        ValueError: If they contradict each other.
    """
    classes = [str(i) for i in range(network['num_classes'])]
    return PackedDetector(packed_bytes(PackedFile(chains, {}, dict(network=network, classes=classes, preprocessing={}))))


@torch.inference_mode()
def _same_maps(alone: PackedDetector, model: nn.Module, image: Tensor) -> bool:
    found = [torch.from_numpy(level).permute(2, 0, 1)[None] for branch in alone.maps(image[0]) for level in branch]
    want = sum(map(list, model(image, mode='tensor')), [])
    return len(found) == len(want) and all(
        a.shape == b.shape and torch.allclose(a, b, rtol=1e-5, atol=1e-5, equal_nan=True) for a, b in zip(found, want))


@torch.inference_mode()
def _same_boxes(network: Dict[str, Any], alone: PackedDetector, model: nn.Module, image: Tensor) -> bool:
    """Whether made maps of that image's size, whose logits lie apart, become the same boxes."""
    rng, size = np.random.default_rng(0), tuple(image.shape[2:])
    shapes = [[level.shape for level in branch] for branch in alone.maps(image[0])]
    maps = [[rng.uniform(0.1, 2, shape).astype(np.float32) for shape in branch] for branch in shapes]
    ends = np.cumsum([level.size for level in maps[0]])
    logits = np.split(rng.permutation(np.linspace(-6, 6, ends[-1], dtype=np.float32)), ends[:-1])
    maps[0] = [values.reshape(shape) for values, shape in zip(logits, shapes[0])]
    cfg = copy.deepcopy(model.test_cfg)
    if cfg.get('nms_pre', -1) < 0:  # -1 means all, but MMDetection leaves out the last one then
        cfg.nms_pre = int(ends[-1])
    want = model.bbox_head.predict_by_feat(
        *([torch.from_numpy(level).permute(2, 0, 1)[None] for level in branch] for branch in maps),
        batch_img_metas=[dict(img_shape=size, scale_factor=(1.0, 1.0))], cfg=cfg)[0]
    found = decode(network, maps, size)
    return found.labels.tolist() == want.labels.tolist() and np.allclose(found.scores, want.scores, rtol=0, atol=1e-5) \
        and np.allclose(found.boxes, want.bboxes, rtol=1e-4, atol=1e-3)
