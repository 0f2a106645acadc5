"""Distillation of a one-stage detector from its full-precision twin."""
import copy
import os
from typing import Any, Dict, List, Tuple, Union

import torch
import torch.nn.functional as F
from mmdet.models.detectors import KnowledgeDistillationSingleStageDetector
from mmdet.models.losses import GIoULoss
from mmdet.models.utils import unpack_gt_instances
from mmdet.structures import SampleList
from mmdet.utils import reduce_mean
from mmengine.config import Config
from torch import Tensor

from ...registry import MODELS
from ...supernet.checkpoint import check_keys, read_checkpoint
from .fitted import FittedDetector

_Maps = List[Tensor]


@MODELS.register_module()
class DistilledSingleStageDetector(FittedDetector, KnowledgeDistillationSingleStageDetector):
    """A one-stage detector that also learns what a trained teacher with the same head predicts.

    For heads whose class scores are independent and whose boxes mean the same in training and evaluation: RTMDet's and
    RetinaNet's, ours and MMDetection's; not SSD's, and FCOS's only without ``norm_on_bbox``.

    The twin is the natural teacher: its maps have the same shapes and its points the same places, so its outputs are
    compared one by one, with no assignment between them. Beside the detector's own losses,

    * ``loss_distill_cls``: binary cross-entropy of each class's score with the teacher's score as soft label, weighted
      by the squared difference of the scores (quality focal loss, arXiv 2006.04388), so that the thousands of points
      on which both agree that nothing is there count nothing;
    * ``loss_distill_bbox``: generalised IoU of the decoded boxes, weighted by the teacher's best score at the point,
      so that the teacher's boxes count where it sees an object.

    Both are divided by the sum of the teacher's best scores, the mean of all processes' sums. The teacher is no part of
    the state dict: a checkpoint is that of the detector alone, and is evaluated by the config without distillation.

    Args:
        teacher_config (dict | str): Config, or config file, of the teacher.
        teacher_ckpt (str): Its checkpoint, read when weights are initialised; keys must match exactly.
        cls_weight (float): Weight of the scores' loss. Defaults to 1.0.
        bbox_weight (float): Weight of the boxes' loss. Defaults to 1.0.
        **kwargs: As for :class:`FittedDetector` and :class:`mmdet.models.SingleStageDetector`.

    Raises:
        FileNotFoundError: If the teacher's checkpoint does not exist.
        ValueError: If it does not fit the teacher, the teacher has another number of classes, other levels or other
            preprocessing, or the head is none that can be distilled.
    """

    def __init__(self, *, teacher_config: Union[dict, str, os.PathLike], teacher_ckpt: str, cls_weight: float = 1.0,
                 bbox_weight: float = 1.0, **kwargs: Any) -> None:
        super().__init__(teacher_config=_without_init(teacher_config), **kwargs)
        self.cls_weight = cls_weight
        self.bbox_weight = bbox_weight
        self.teacher_ckpt = teacher_ckpt
        self._check_teacher()
        self.teacher_model.requires_grad_(False)
        self._box_loss = GIoULoss(reduction='none')

    def init_weights(self) -> None:
        """Initialises the detector and loads the teacher, which only training needs."""
        super().init_weights()
        # MMEngine would load what fits and warn: half a teacher teaches nonsense.
        state, _ = read_checkpoint(self.teacher_ckpt)
        check_keys(self.teacher_model.state_dict(), state, self.teacher_ckpt, "a checkpoint of the teacher's config")
        self.teacher_model.load_state_dict(state)

    def _check_teacher(self) -> None:
        own, teacher = self.bbox_head, self.teacher_model.bbox_head
        for what, a, b in (('classes', own.num_classes, teacher.num_classes),
                           ('strides', own.prior_generator.strides, teacher.prior_generator.strides)):
            if a != b:
                raise ValueError(f'the teacher has {what} {b} and the detector {a}; both must be the same')
        if not own.use_sigmoid_cls or getattr(own, 'norm_on_bbox', False):
            raise ValueError(f"{type(own).__name__} can't be distilled: its scores must be independent classes "
                             '(use_sigmoid=True in loss_cls), and its boxes mean the same in training and evaluation '
                             '(norm_on_bbox=False)')
        if not torch.equal(*(_preprocessed(model.data_preprocessor) for model in (self, self.teacher_model))):
            raise ValueError("the teacher's data_preprocessor makes other values of an image than the detector's; set both "
                             'alike')

    def loss(self, batch_inputs: Tensor, batch_data_samples: SampleList) -> Dict[str, Any]:
        """The detector's losses and those of distillation.

        Args:
            batch_inputs (Tensor): Images of shape (N, 3, H, W).
            batch_data_samples (list[DetDataSample]): Their annotations.
        """
        outs = self.bbox_head(self.extract_feat(batch_inputs))
        with torch.no_grad():
            targets = self.teacher_model.bbox_head(self.teacher_model.extract_feat(batch_inputs))
        truth, ignored, metas = unpack_gt_instances(batch_data_samples)
        losses = self.bbox_head.loss_by_feat(*outs, truth, metas, ignored)
        losses.update(self._distillation(outs, targets))
        return losses

    def _distillation(self, outs: Tuple[_Maps, ...], targets: Tuple[_Maps, ...]) -> Dict[str, Tensor]:
        """Losses between two outputs of the same head, of which scores come first and boxes second."""
        head = self.bbox_head
        own, soft = (_rows(maps[0], head.cls_out_channels) for maps in (outs, targets))
        soft = soft.sigmoid()
        best = soft.amax(1)
        # Over all processes, as MMDetection's own losses: a process with few objects must not weigh more.
        total = reduce_mean(best.sum()).clamp(min=1)
        focus = (own.sigmoid() - soft).detach().square()
        cls = F.binary_cross_entropy_with_logits(own, soft, weight=focus, reduction='sum') / total
        priors = self._priors(outs[0])
        boxes, wanted = (head.bbox_coder.decode(priors, _rows(maps[1], 4)) for maps in (outs, targets))
        bbox = (self._box_loss(boxes, wanted) * best).sum() / total
        return dict(loss_distill_cls=self.cls_weight * cls, loss_distill_bbox=self.bbox_weight * bbox)

    def _priors(self, scores: _Maps) -> Tensor:
        """Points or anchors of all images, in the order of :func:`_rows`."""
        sizes = [tuple(score.shape[-2:]) for score in scores]
        levels = self.bbox_head.prior_generator.grid_priors(sizes, scores[0].dtype, scores[0].device)
        return torch.cat([level.repeat(scores[0].shape[0], 1) for level in levels])

    def __deepcopy__(self, memo: dict) -> 'DistilledSingleStageDetector':
        # A moving average of the weights copies the detector; its teacher is the same one.
        memo[id(self.teacher_model)] = self.teacher_model
        copied = self.__class__.__new__(self.__class__)
        memo[id(self)] = copied
        copied.__dict__ = copy.deepcopy(self.__dict__, memo)
        return copied

    def train(self, mode: bool = True) -> 'DistilledSingleStageDetector':
        """Sets the mode; the teacher stays in evaluation mode."""
        super().train(mode)
        return self


def _preprocessed(preprocessor: Any) -> Tensor:
    """What a data preprocessor makes of an image with all values in all colours."""
    ramp = torch.arange(256, dtype=torch.uint8).view(1, 16, 16)
    image = torch.cat([ramp, ramp.flip(1), ramp.flip(2)])
    with torch.no_grad():
        return preprocessor(dict(inputs=[image], data_samples=None), training=False)['inputs']


def _rows(maps: _Maps, values: int) -> Tensor:
    """Maps (N, priors * values, H_i, W_i) as one (points, values)."""
    return torch.cat([x.permute(0, 2, 3, 1).reshape(-1, values) for x in maps])


def _without_init(config: Union[dict, str, os.PathLike]) -> Any:
    """The teacher's config without what its backbone was initialised from: its checkpoint brings all weights."""
    cfg = Config.fromfile(config) if isinstance(config, (str, os.PathLike)) else Config(dict(config))
    cfg.model.backbone.init_cfg = None
    return cfg
