"""The supernet as a classifier that MMEngine's Runner trains with Bi-Teacher."""
from dataclasses import replace
from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

import numpy as np
import torch
from mmengine.dist import all_reduce_params
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper
from torch import Tensor

from ...arch import Arch, get_space
from ...binary import Binarizes
from ...registry import MODELS
from ...supernet import Supernet, bi_teacher_passes, sync_batch_norms


@MODELS.register_module()
class SupernetClassifier(BaseModel):
    """Trains a supernet: each step runs the teacher, the smallest and some random networks, then updates once.

    The random networks of step t are drawn from (seed, t) alone: every process of a distributed run draws the
    same ones, and a resumed run continues as if it had not stopped. In a distributed run the summed gradients of
    all passes are averaged over the processes once a step; the config needs
    ``model_wrapper_cfg=dict(type='nasbnn_det.SupernetDistributedDataParallel')``.

    Each of NAS-BNN's strategies can be switched off for comparison.

    Args:
        space (str | list): Search space, as :func:`nasbnn_det.arch.get_space` takes it.
        num_classes (int): Classes.
        num_random (int): Random networks a step. Defaults to 2.
        label_smoothing (float): Of the teacher's loss. Defaults to 0.1.
        seed (int): Of the random networks. Defaults to 0.
        bi_teacher (bool): The teacher has real weights; False gives it binary ones. Defaults to True.
        teacher_steps (int): Steps at the start that the teacher trains alone, students after it. Defaults to 0.
        binarization (Binarization | str | dict): How its layers are binarised, as
            :func:`nasbnn_det.binary.get_binarization` takes it. Defaults to 'nasbnn'.
        non_decreasing (bool, optional): Switches the space's non-decreasing rule. Defaults to None, the space's.
        sync_bn (bool): Batch norm statistics over the images of all processes instead of each one's own. (The runner's
            ``sync_bn`` is refused: PyTorch's layers know no slices.) Defaults to False.
        data_preprocessor (dict, optional): MMPretrain's ``ClsDataPreprocessor``.
        init_cfg (dict, optional): Initialisation. Defaults to None.
    """

    def __init__(self,
                 space: Union[str, list],
                 num_classes: int,
                 num_random: int = 2,
                 label_smoothing: float = 0.1,
                 seed: int = 0,
                 bi_teacher: bool = True,
                 teacher_steps: int = 0,
                 binarization: Binarizes = 'nasbnn',
                 non_decreasing: Optional[bool] = None,
                 sync_bn: bool = False,
                 data_preprocessor: Optional[dict] = None,
                 init_cfg: Optional[dict] = None) -> None:
        super().__init__(data_preprocessor, init_cfg)
        space = get_space(space)
        if non_decreasing is not None:
            space = replace(space, non_decreasing=non_decreasing)
        self.supernet = Supernet(space, num_classes, binarization)
        sync_batch_norms(self.supernet, sync_bn)
        self.num_random = num_random
        self.label_smoothing = label_smoothing
        self.seed = seed
        self.bi_teacher = bi_teacher
        self.teacher_steps = teacher_steps
        self.register_buffer('step', torch.tensor(0))
        # The same number, which on a GPU takes no waiting to be read.
        self._step = 0
        self.biggest = Arch.biggest(self.supernet.space)
        self.smallest = Arch.smallest(self.supernet.space)

    def draw_students(self) -> List[Tuple[str, Arch]]:
        """Names and architectures of this step's students; none while the teacher trains alone."""
        if self._step < self.teacher_steps:
            return []
        rng = np.random.default_rng([self.seed, self._step])
        randoms = [(f'random{i}', Arch.random(self.supernet.space, rng)) for i in range(self.num_random)]
        return [('smallest', self.smallest), *randoms]

    def train_step(self, data: Union[dict, tuple, list], optim_wrapper: OptimWrapper) -> Dict[str, Tensor]:
        """One optimisation step of several passes whose gradients add up, with one synchronisation.

        Where the data preprocessor mixes images (``batch_augments`` such as MMPretrain's Mixup), the teacher learns the
        mixed labels and the students the teacher's answer to the same mixed images.

        Returns:
            dict[str, Tensor]: The loss of each pass, and ``loss``, their sum.

        Raises:
            ValueError: If the wrapper accumulates gradients over several steps.
        """
        counts = round(1 / optim_wrapper.scale_loss(1.0))
        if counts != 1:
            raise ValueError(f'accumulative_counts is {counts}; a supernet updates after every step of several passes, only '
                             '1 is allowed')
        data = self.data_preprocessor(data, training=True)
        labels = _labels(data['data_samples'])
        losses = {}
        with optim_wrapper.optim_context(self):
            for name, loss in bi_teacher_passes(self.supernet, data['inputs'], labels, self.biggest,
                                                self.draw_students(), self.label_smoothing, self.bi_teacher):
                optim_wrapper.backward(loss)
                losses[f'loss_{name}'] = loss.detach()
        # All processes drew the same networks, so the same parameters have a gradient in each.
        all_reduce_params([p.grad for p in self.parameters() if p.grad is not None], op='mean')
        optim_wrapper.step()
        optim_wrapper.zero_grad()
        self.step += 1
        self._step += 1
        return dict(loss=sum(losses.values()), **losses)

    def _load_from_state_dict(self, state_dict: Dict[str, Any], prefix: str, *args: Any) -> None:
        super()._load_from_state_dict(state_dict, prefix, *args)
        self._step = int(self.step)

    def forward(self, inputs: Tensor, data_samples: Optional[Sequence[Any]] = None, mode: str = 'tensor',
                arch: Optional[Arch] = None) -> Tensor:
        """Logits of one architecture, the biggest by default.

        Args:
            inputs (Tensor): Images of shape (N, 3, H, W).
            data_samples (Sequence, optional): Not used.
            mode (str): Only 'tensor'. A supernet predicts through its subnets, see
                :class:`nasbnn_det.engine.evaluation.subnet_evaluator.SubnetEvaluator`, and trains by
                :meth:`train_step`. Defaults to 'tensor'.
            arch (Arch, optional): The architecture.

        Returns:
            Tensor: Shape (N, num_classes).

        Raises:
            ValueError: If another mode is asked for.
        """
        if mode == 'loss':
            raise ValueError('SupernetClassifier trains by its own train_step; in a distributed run set '
                             "model_wrapper_cfg=dict(type='nasbnn_det.SupernetDistributedDataParallel')")
        if mode != 'tensor':
            raise ValueError(f"SupernetClassifier has no mode '{mode}'; a subnet is extracted and recalibrated first, "
                             "as 'nasbnn_det.SupernetValLoop' does")
        return self.supernet(inputs, arch or self.biggest)


def _labels(samples: Sequence[Any]) -> Tensor:
    """Class indices, shape (N, ); or probabilities, shape (N, classes), of images that were mixed."""
    if all('gt_score' in sample for sample in samples):
        return torch.stack([sample.gt_score for sample in samples])
    return torch.cat([sample.gt_label for sample in samples])
