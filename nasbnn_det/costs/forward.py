"""One forward pass of any model, as far as its predictors: what is counted and checked is what runs here."""
from contextlib import contextmanager
from typing import Any, Iterator, List, Optional, Tuple

import torch
from torch import Tensor, nn


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Inside, the model is in evaluation mode without gradients; afterwards each module has its own mode again."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, training in modes.items():
            module.training = training


def forward_once(model: nn.Module, input_size: Tuple[int, int]) -> Any:
    """Runs a model in evaluation mode on one black RGB image.

    Args:
        model (nn.Module): A network on images, or a detector or classifier of OpenMMLab. The second stage of a
            two-stage detector runs on as many proposals as its test settings let through, whatever the first stage
            found: on an untrained network that would be any number.
        input_size (tuple[int, int]): Height and width in pixels.

    Returns:
        Any: What the model gives before decoding and NMS.

    Raises:
        ValueError: If the first stage of a two-stage detector has no forward pass, as Sparse R-CNN's.
    """
    image = torch.zeros(1, 3, *input_size, device=next(model.parameters()).device)
    with evaluating(model):
        if not hasattr(model, 'data_preprocessor'):
            return model(image)
        if getattr(model, 'roi_head', None) is not None and getattr(model, 'rpn_head', None) is not None:
            return _forward_two_stage(model, image)
        # OpenMMLab's models have a mode; 'tensor' ends before decoding and NMS.
        return model(image, _samples(input_size), mode='tensor')


def _samples(input_size: Tuple[int, int]) -> Optional[List[Any]]:
    """What a detector wants to know of its images; other models don't look at it."""
    try:
        from mmdet.structures import DetDataSample
    except ImportError:
        return None
    return [DetDataSample(metainfo=dict(
        img_shape=input_size, ori_shape=input_size, pad_shape=input_size, batch_input_shape=input_size,
        scale_factor=(1., 1.)))]


def _forward_two_stage(model: nn.Module, image: Tensor) -> Any:
    from mmengine.structures import InstanceData
    if not hasattr(model.rpn_head, 'forward_single'):
        raise ValueError(f"{type(model).__name__} can't be run without data: its proposals are learned "
                         f'({type(model.rpn_head).__name__})')
    features = model.extract_feat(image)
    rpn = model.rpn_head(features)
    number = model.test_cfg.rpn.max_per_img
    height, width = image.shape[2:]
    boxes = image.new_tensor([[0, 0, width, height]]).repeat(number, 1)
    samples = _samples((height, width))
    return rpn, model.roi_head(features, [InstanceData(bboxes=boxes)], samples)
