"""A whole detector in PyTorch's operators, what the library must find: preprocessing by OpenCV, backbone, neck and head as
chains, decoding, suppression by torchvision."""
import math
from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, NamedTuple, Sequence, Tuple

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torchvision.ops import nms

from nasbnn_det.binary import aggregate_paths
from nasbnn_det.runtime import PackedChain


class Found(NamedTuple):
    """Boxes (N, 4), labels (N, ) and scores (N, ), best first."""
    boxes: Tensor
    labels: Tensor
    scores: Tensor


@dataclass(frozen=True)
class RTMDetSettings:
    """Numbers of the head and of its decoding, as in MMDetection's config.

    Args:
        num_classes (int): Classes.
        strides (tuple[int]): Pixels between the points of each level.
        offset (float): Of the points, in strides.
        score_thr (float): Lowest score.
        nms_pre (int): Candidates per level at most; -1 keeps all.
        iou_threshold (float): Of the non-maximum suppression, within a class.
        max_per_img (int): Detections per image at most.
        min_bbox_size (float): Boxes must be larger than this, in pixels; -1 keeps all.

    Raises:
        ValueError: If a value is none that makes sense.
    """
    num_classes: int
    strides: Tuple[int, ...]
    offset: float = 0.0
    score_thr: float = 0.001
    nms_pre: int = 1000
    iou_threshold: float = 0.65
    max_per_img: int = 100
    min_bbox_size: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, 'strides', tuple(self.strides) if isinstance(self.strides, (list, tuple)) else ())
        ranges = dict(num_classes=(1, 1 << 14), nms_pre=(-1, 1 << 20), max_per_img=(1, 1 << 16))
        for name, (low, high) in ranges.items():
            value = getattr(self, name)
            if type(value) is not int or not low <= value <= high:
                raise ValueError(f'{name} is {value!r}; allowed are integers from {low} to {high}')
        for name in ('offset', 'score_thr', 'iou_threshold', 'min_bbox_size'):
            value = getattr(self, name)
            if type(value) not in (int, float) or not -1e6 < value < 1e6:
                raise ValueError(f'{name} is {value!r}; a finite number is wanted')
        if not 1 <= len(self.strides) <= 8 or any(type(s) is not int or not 1 <= s <= 1024 for s in self.strides):
            raise ValueError(f'strides are {self.strides!r}; allowed are 1 to 8 integers from 1 to 1024')

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> 'RTMDetSettings':
        """Reads a dict of the arguments.

        Raises:
            ValueError: If a key is unknown or missing, or a value is wrong.
        """
        known = set(cls.__dataclass_fields__)
        if not isinstance(data, dict) or set(data) - known or {'num_classes', 'strides'} - set(data):
            raise ValueError(f'the head is described by {sorted(known)}; num_classes and strides must be among them')
        return cls(**data)


class PackedRTMDet(nn.Module):
    """Backbone, path-aggregation neck and RTMDet head (arXiv 2212.07784) of packed chains.

    Args:
        chains (dict[str, PackedChain]): By the names of the modules in MMDetection's model: ``backbone``,
            ``neck.laterals.0``, ``bbox_head.cls_towers.0``, ``bbox_head.rtm_cls.0``, ...
        settings (RTMDetSettings): Numbers of the head.

    Raises:
        ValueError: If a chain is missing or left over, or channels do not fit.
    """

    def __init__(self, chains: Dict[str, PackedChain], settings: RTMDetSettings) -> None:
        super().__init__()
        self.settings = settings
        levels = len(settings.strides)
        left = dict(chains)

        def take(prefix: str, count: int, inputs: Sequence[int] = ()) -> nn.ModuleList:
            names = [f'{prefix}.{i}' for i in range(count)]
            missing = [name for name in names if name not in left]
            if missing:
                raise ValueError(f'the detector needs a chain {missing[0]}')
            found = [left.pop(name) for name in names]
            for name, chain, channels in zip(names, found, inputs or [width] * count):
                if chain.outputs is not None or chain.layers[0].spec.in_channels != channels:
                    raise ValueError(f'chain {name} must take {channels} channels and have one output')
            return nn.ModuleList(found)

        self.backbone = left.pop('backbone', None)
        if self.backbone is None or len(self.backbone.outputs or ()) != levels:
            raise ValueError(f'the detector needs a chain backbone with {levels} outputs')
        channels = [self.backbone.layers[output].spec.out_channels for output in self.backbone.outputs]
        width = left['neck.laterals.0'].layers[-1].spec.out_channels if 'neck.laterals.0' in left else 0
        self.laterals = take('neck.laterals', levels, channels)
        self.neck = nn.ModuleDict({name: take(f'neck.{name}', levels - 1)
                                   for name in ('top_down', 'downsamples', 'bottom_up')})
        self.branches = nn.ModuleList()
        for name, outputs in (('cls', settings.num_classes), ('reg', 4)):
            towers = take(f'bbox_head.{name}_towers', levels)
            predictors = take(f'bbox_head.rtm_{name}', levels, [tower.layers[-1].spec.out_channels for tower in towers])
            if any(predictor.layers[-1].spec.out_channels != outputs for predictor in predictors):
                raise ValueError(f'a predictor has another number of outputs than {outputs}')
            # In one chain, a tower's last map is never written.
            self.branches.append(nn.ModuleList(PackedChain([*tower.layers, *predictor.layers])
                                               for tower, predictor in zip(towers, predictors)))
        if left:
            raise ValueError(f'the detector has no place for chain {sorted(left)[0]}')

    @classmethod
    def from_dict(cls, chains: Dict[str, PackedChain], settings: Mapping[str, Any]) -> 'PackedRTMDet':
        """Builds it from :meth:`describe`'s form of the settings.

        Raises:
            ValueError: If a setting or a chain is wrong, missing or left over.
        """
        return cls(chains, RTMDetSettings.from_dict(settings))

    def forward(self, images: Tensor) -> Tuple[List[Tensor], List[Tensor]]:
        """Class logits (N, classes, H_i, W_i) and distances to the sides in pixels (N, 4, H_i, W_i) of each level."""
        # The backbone's maps are the largest: nothing holds them behind the laterals.
        maps = [lateral(x) for lateral, x in zip(self.laterals, self.backbone(images))]
        maps = aggregate_paths(maps, **self.neck)
        logits = [branch(x) for branch, x in zip(self.branches[0], maps)]
        distances = [branch(x).exp_().mul_(stride)
                     for branch, x, stride in zip(self.branches[1], maps, self.settings.strides)]
        return logits, distances

    @torch.inference_mode()
    def detect(self, images: Tensor, image_sizes: Sequence[Tuple[int, int]],
               scales: Sequence[Tuple[float, float]]) -> List['Found']:
        """From images to boxes.

        Args:
            images (Tensor): Preprocessed, shape (N, 3, H, W).
            image_sizes (Sequence): Height and width of each image without what it was padded with.
            scales (Sequence): Factor from each original image's width, and height, to the network's input.

        Returns:
            list[Found]: Per image, boxes in pixels of the original image.
        """
        logits, distances = self(images)
        return [decode([x[i] for x in logits], [d[i] for d in distances], self.settings, size, scale)
                for i, (size, scale) in enumerate(zip(image_sizes, scales))]


def decode(logits: Sequence[Tensor], distances: Sequence[Tensor], settings: RTMDetSettings, image_size: Tuple[int, int],
           scale: Tuple[float, float]) -> 'Found':
    """What MMDetection's RTMDet head does behind its layers, for one image.

    Args:
        logits (Sequence[Tensor]): Per level, shape (classes, H_i, W_i).
        distances (Sequence[Tensor]): Per level, left, top, right, bottom in pixels, shape (4, H_i, W_i).
        settings (RTMDetSettings): Numbers of the head.
        image_size (tuple[int, int]): Height and width; boxes are clipped to them.
        scale (tuple[float, float]): Factor from the original image's width, and height.

    Returns:
        Found: Boxes in pixels of the original image.
    """
    boxes, labels, scores = [], [], []
    chance = min(max(settings.score_thr, 0.0), 1.0)
    lowest = -math.inf if chance == 0 else math.inf if chance == 1 else math.log(chance / (1 - chance))
    for level_logits, level_distances, stride in zip(logits, distances, settings.strides):
        classes, height, width = level_logits.shape
        flat = level_logits.permute(1, 2, 0).reshape(-1)
        # Most points are background: few need a sigmoid.
        found = (flat > lowest).nonzero().flatten()
        values = flat[found].sigmoid()
        count = values.numel() if settings.nms_pre < 0 else min(settings.nms_pre, values.numel())
        values, order = values.sort(descending=True)
        found, values = found[order[:count]], values[:count]
        points = found // classes
        labels.append(found % classes)
        scores.append(values)
        x = (points % width + settings.offset) * stride
        y = (points // width + settings.offset) * stride
        left, top, right, bottom = level_distances.reshape(4, -1)[:, points]
        boxes.append(torch.stack([(x - left).clamp(0, image_size[1]), (y - top).clamp(0, image_size[0]),
                                  (x + right).clamp(0, image_size[1]), (y + bottom).clamp(0, image_size[0])], 1))
    box = torch.cat(boxes) / torch.tensor([*scale, *scale])
    label, score = torch.cat(labels), torch.cat(scores)
    if settings.min_bbox_size >= 0:
        large = ((box[:, 2:] - box[:, :2]) > settings.min_bbox_size).all(1)
        box, label, score = box[large], label[large], score[large]
    if box.numel():
        # Classes moved apart, so that boxes suppress only those of their own class; in double precision, as thousands of
        # classes and pixels leave float32 no digits for a box.
        apart = box.double() + (label * (box.max().double() + 1)).unsqueeze(1)
        kept = nms(apart, score.double(), settings.iou_threshold)[:settings.max_per_img]
        box, label, score = box[kept], label[kept], score[kept]
    return Found(box, label, score)


def prepare(described: Mapping[str, Any], image: np.ndarray) -> Tuple[Tensor, Tuple[int, int], Tuple[float, float]]:
    """The network's input (1, 3, H, W) of an image, height and width of the image within it, factors from the original."""
    d = dict(dict(scale=None, keep_ratio=True, pad_size=None, pad_value=[0, 0, 0], mean=[0, 0, 0], std=[1, 1, 1],
                  to_rgb=True, divisor=1), **described)
    height, width = image.shape[:2]
    size = (width, height)
    if d['scale'] and d['keep_ratio']:
        factor = min(max(d['scale']) / max(size), min(d['scale']) / min(size))
        size = int(width * factor + 0.5), int(height * factor + 0.5)
    elif d['scale']:
        size = tuple(d['scale'])
    if size != (width, height):
        image = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
    if d['pad_size']:
        right, bottom = (max(0, want - have) for want, have in zip(d['pad_size'], size))
        image = cv2.copyMakeBorder(image, 0, bottom, 0, right, cv2.BORDER_CONSTANT, value=d['pad_value'])
    inner = image.shape[:2]
    x = torch.from_numpy(np.ascontiguousarray(image[..., ::-1] if d['to_rgb'] else image)).permute(2, 0, 1).float()
    x = (x - torch.tensor(d['mean']).float().view(3, 1, 1)) / torch.tensor(d['std']).float().view(3, 1, 1)
    down, across = (-n % d['divisor'] for n in x.shape[1:])
    x = torch.nn.functional.pad(x, (0, across, 0, down))
    return x.unsqueeze(0), inner, (size[0] / width, size[1] / height)
