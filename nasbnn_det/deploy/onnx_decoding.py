"""From the maps of MMDetection's dense heads to boxes, in operations that ONNX's standard operators can say."""
from typing import Any, Dict, List, Optional, Sequence, Tuple

import torch
from mmdet.models.dense_heads.base_dense_head import BaseDenseHead
from torch import Tensor, nn
from torchvision.ops import nms

from .decoding_settings import decoding_settings

#: What of MMDetection's common decoding a head must not have replaced.
_COMMON = ('predict_by_feat', '_predict_by_feat_single', '_bbox_post_process')


class Decoding(nn.Module):
    """What MMDetection's :class:`BaseDenseHead` does behind its layers, for a batch: of RTMDet, RetinaNet, FCOS, SSD, ...

    Scores, the best candidates of each level, boxes by the head's own priors and coder, suppression within classes, the best
    boxes of each image. The suppression compares boxes of one class as they are; MMDetection's moves classes apart by
    thousands of pixels first, which costs digits.

    Args:
        detector (nn.Module): A single-stage detector of MMDetection.

    Attributes:
        settings (dict): As :func:`decoding_settings` returns them.

    Raises:
        ValueError: If its head decodes in another way, or its ``test_cfg`` asks for more.
    """

    def __init__(self, detector: nn.Module) -> None:
        super().__init__()
        try:
            self.head = _check_head(getattr(detector, 'bbox_head', None))
            self.settings = _check_settings(decoding_settings(detector))
        except ValueError as error:
            raise ValueError(f"this network can't be exported up to its boxes: {error}") from error

    def forward(self, images: Tensor, sizes: Tensor, logits: Sequence[Tensor], deltas: Sequence[Tensor],
                factors: Optional[Sequence[Tensor]] = None) -> Tuple[Tensor, Tensor, Tensor]:
        """Finds boxes.

        Args:
            images (Tensor): The network's input, of which the size counts, shape (N, 3, H, W).
            sizes (Tensor): Height and width that boxes are clipped to, if smaller, int64, shape (N, 2) or (1, 2).
            logits (Sequence[Tensor]): Of classes, per level, shape (N, priors * classes, H_i, W_i).
            deltas (Sequence[Tensor]): Of boxes, per level, shape (N, priors * 4, H_i, W_i).
            factors (Sequence[Tensor], optional): Logits of what scores are multiplied by, per level, shape
                (N, priors, H_i, W_i).

        Returns:
            tuple[Tensor, Tensor, Tensor]: Boxes in pixels of the input, shape (N, K, 4), labels, int64, shape (N, K), and
            scores, shape (N, K), best first, with K = ``max_per_img`` or all candidates where those are fewer. Behind the
            last object labels are -1 and everything else is 0.
        """
        priors = self.head.prior_generator.grid_priors([x.shape[2:] for x in logits], logits[0].dtype, logits[0].device)
        levels = [self._level(*maps) for maps in zip(logits, deltas, factors or [None] * len(logits), priors)]
        boxes, labels, scores = (torch.cat(parts, 1) for parts in zip(*levels))
        if getattr(self.head.bbox_coder, 'clip_border', True):
            inner = torch.min(sizes.float(), torch._shape_as_tensor(images)[2:].float())
            boxes = torch.min(boxes.clamp(min=0), inner[:, [1, 0, 1, 0]].unsqueeze(1))
        if self.settings['min_bbox_size'] == 0:
            scores = torch.where(((boxes[..., 2:] - boxes[..., :2]) > 0).all(-1), scores, 0.0)
        return self._suppress(boxes, labels, scores)

    def _level(self, logits: Tensor, deltas: Tensor, factors: Optional[Tensor],
               priors: Tensor) -> Tuple[Tensor, Tensor, Tensor]:
        """The best candidates of a level; the score of what is none is 0."""
        head, coder = self.head, self.head.bbox_coder
        logits = _by_prior(logits, head.cls_out_channels)
        chances = logits.sigmoid() if head.use_sigmoid_cls else logits.softmax(-1)[..., :-1]
        scores, places = _best(chances.flatten(1), self.settings['nms_pre'])
        scores = torch.where(scores > self.settings['score_thr'], scores, 0.0)
        at, labels = torch.div(places, head.num_classes, rounding_mode='trunc'), places % head.num_classes
        found = _at(_by_prior(deltas, coder.encode_size), at)
        boxes = coder.decode(priors[at].flatten(0, 1), found.flatten(0, 1)).view(*at.shape, 4)
        if factors is not None:
            scores = scores * _by_prior(factors, 1).flatten(1).gather(1, at).sigmoid()
        return boxes, labels, scores

    def _suppress(self, boxes: Tensor, labels: Tensor, scores: Tensor) -> Tuple[Tensor, Tensor, Tensor]:
        classes = torch.arange(self.head.num_classes, device=labels.device).view(1, -1, 1)
        by_class = torch.where(labels.unsqueeze(1) == classes, scores.unsqueeze(1), 0.0)
        rows = _NonMaxSuppression.apply(boxes, by_class, self.settings['iou_threshold'], self.settings['max_per_img'])
        kept = rows[:, 0] * scores.shape[1] + rows[:, 2]
        flat = scores.flatten()
        left = torch.zeros_like(flat).scatter(0, kept, flat[kept]).view(scores.shape)
        scores, places = _best(left, self.settings['max_per_img'])
        found = scores > 0
        return (torch.where(found.unsqueeze(-1), _at(boxes, places), 0.0),
                torch.where(found, labels.gather(1, places), -1), scores)


def _check_settings(settings: Dict[str, Any]) -> Dict[str, Any]:
    if settings['min_bbox_size'] > 0:
        raise ValueError(f"its test_cfg's min_bbox_size is {settings['min_bbox_size']}, in pixels of the original image, "
                         'whose size an ONNX file does not learn; allowed are 0 and -1')
    if settings['score_thr'] < 0 or settings['max_per_img'] < 1:
        raise ValueError(f"its test_cfg has score_thr={settings['score_thr']} and max_per_img={settings['max_per_img']}; "
                         'allowed are scores of at least 0 and numbers of at least 1')
    return settings


def _check_head(head: Any) -> nn.Module:
    if head is None:
        raise ValueError('it is no single-stage detector')
    common = isinstance(head, BaseDenseHead) and all(
        getattr(type(head), name) is getattr(BaseDenseHead, name) for name in _COMMON)
    if not common or getattr(getattr(head, 'loss_cls', None), 'custom_cls_channels', False):
        raise ValueError(f"its head, {type(head).__name__}, does not decode as MMDetection's BaseDenseHead does")
    return head


def _by_prior(maps: Tensor, channels: int) -> Tensor:
    """(N, priors * channels, H, W) as (N, H * W * priors, channels)."""
    return maps.permute(0, 2, 3, 1).reshape(maps.shape[0], -1, channels)


def _at(values: Tensor, places: Tensor) -> Tensor:
    """Rows (N, K, C) of (N, M, C), at places (N, K)."""
    return values.gather(1, places.unsqueeze(-1).expand(-1, -1, values.shape[-1]))


def _best(rows: Tensor, most: int) -> Tuple[Tensor, Tensor]:
    """The ``most`` largest of each row and their places, falling; all of them if there are fewer, or for -1."""
    return _TopK.apply(rows, most if most >= 0 else torch.iinfo(torch.int64).max)


class _TopK(torch.autograd.Function):
    """The exporter's own form would keep the number of places that the traced image has."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, most: int) -> Tuple[Tensor, Tensor]:
        values, places = rows.topk(min(most, rows.shape[1]))
        return values, places

    @staticmethod
    def symbolic(g: Any, rows: Any, most: int) -> Any:
        def numbers(value: int) -> Any:
            return g.op('Constant', value_t=torch.tensor([value]))

        length = g.op('Gather', g.op('Shape', rows), numbers(1), axis_i=0)
        values, places = g.op('TopK', rows, g.op('Min', length, numbers(most)), axis_i=1, outputs=2)
        free = rows.type().with_sizes([None, None])
        return values.setType(free), places.setType(free.with_dtype(torch.int64))


class _NonMaxSuppression(torch.autograd.Function):
    """Image, class and place (K, 3) of what is left of boxes (N, M, 4) with scores (N, classes, M) above 0."""

    @staticmethod
    def forward(ctx: Any, boxes: Tensor, scores: Tensor, iou_threshold: float, most: int) -> Tensor:
        rows: List[Tensor] = []
        for image, label, _ in (scores > 0).any(-1, keepdim=True).nonzero().tolist():
            places = (scores[image, label] > 0).nonzero().flatten()
            kept = places[nms(boxes[image, places], scores[image, label, places], iou_threshold)][:most]
            rows.append(torch.stack([torch.full_like(kept, image), torch.full_like(kept, label), kept], 1))
        return torch.cat([torch.zeros(0, 3, dtype=torch.int64), *rows])

    @staticmethod
    def symbolic(g: Any, boxes: Any, scores: Any, iou_threshold: float, most: int) -> Any:
        values = (torch.tensor([most]), torch.tensor([iou_threshold]), torch.tensor([0.0]))
        rows = g.op('NonMaxSuppression', boxes, scores, *(g.op('Constant', value_t=value) for value in values))
        return rows.setType(boxes.type().with_sizes([None, 3]).with_dtype(torch.int64))
