"""The supernet as a classifier that MMEngine's Runner trains with Bi-Teacher."""
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple, Union

import numpy as np
import torch
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper
from torch import Tensor

from ...arch import Arch
from ...registry import MODELS
from ...supernet import Supernet, bi_teacher_passes


@MODELS.register_module()
class SupernetClassifier(BaseModel):
    """Trains a supernet: each step runs the teacher, the smallest and some random networks, then updates once.

    The random networks of step t are drawn from (seed, t) alone: every process of a distributed run draws the
    same ones, and a resumed run continues as if it had not stopped.

    Args:
        space (str | list): Search space, as :func:`nasbnn_det.arch.get_space` takes it.
        num_classes (int): Classes.
        num_random (int): Random networks a step. Defaults to 2.
        label_smoothing (float): Of the teacher's loss. Defaults to 0.1.
        seed (int): Of the random networks. Defaults to 0.
        data_preprocessor (dict, optional): MMPretrain's ``ClsDataPreprocessor``.
        init_cfg (dict, optional): Initialisation. Defaults to None.
    """

    def __init__(self,
                 space: Union[str, list],
                 num_classes: int,
                 num_random: int = 2,
                 label_smoothing: float = 0.1,
                 seed: int = 0,
                 data_preprocessor: Optional[dict] = None,
                 init_cfg: Optional[dict] = None) -> None:
        super().__init__(data_preprocessor, init_cfg)
        self.supernet = Supernet(space, num_classes)
        self.num_random = num_random
        self.label_smoothing = label_smoothing
        self.seed = seed
        self.register_buffer('step', torch.tensor(0))
        self.biggest = Arch.biggest(self.supernet.space)
        self.smallest = Arch.smallest(self.supernet.space)

    def draw_students(self) -> List[tuple]:
        """Names and architectures of this step's students."""
        rng = np.random.default_rng([self.seed, int(self.step)])
        randoms = [(f'random{i}', Arch.random(self.supernet.space, rng)) for i in range(self.num_random)]
        return [('smallest', self.smallest), *randoms]

    def train_step(self, data: Union[dict, tuple, list], optim_wrapper: OptimWrapper) -> Dict[str, Tensor]:
        """One optimisation step of several passes whose gradients add up.

        Returns:
            dict[str, Tensor]: The loss of each pass, and ``loss``, their sum.
        """
        data = self.data_preprocessor(data, training=True)
        losses = {}
        with optim_wrapper.optim_context(self):
            for name, loss in self._passes(**data):
                optim_wrapper.backward(loss)
                losses[f'loss_{name}'] = loss.detach()
        optim_wrapper.step()
        optim_wrapper.zero_grad()
        self.step += 1
        return dict(loss=sum(losses.values()), **losses)

    def _passes(self, inputs: Tensor, data_samples: Sequence[Any]) -> Iterator[Tuple[str, Tensor]]:
        labels = torch.cat([sample.gt_label for sample in data_samples])
        return bi_teacher_passes(self.supernet, inputs, labels, self.biggest, self.draw_students(),
                                 self.label_smoothing)

    def forward(self, inputs: Tensor, data_samples: Optional[Sequence[Any]] = None, mode: str = 'tensor',
                arch: Optional[Arch] = None) -> Union[Tensor, Dict[str, Tensor]]:
        """Logits of one architecture, the biggest by default; or the losses of a step.

        Args:
            inputs (Tensor): Images of shape (N, 3, H, W).
            data_samples (Sequence, optional): MMPretrain's, with labels; for mode 'loss'.
            mode (str): 'tensor' gives logits. 'loss' gives the losses of all passes at once, for wrappers such as
                MMEngine's distributed one that run a step through ``forward``; it needs the memory of all passes,
                where :meth:`train_step` needs that of one. There is no 'predict': a supernet predicts through its subnets, see
                :class:`nasbnn_det.search.evaluator.SubnetEvaluator`. Defaults to 'tensor'.
            arch (Arch, optional): The architecture.

        Returns:
            Tensor | dict: Shape (N, num_classes); or scalar losses by name.
        """
        if mode == 'loss':
            losses = {f'loss_{name}': loss for name, loss in self._passes(inputs, data_samples)}
            self.step += 1
            return losses
        if mode != 'tensor':
            raise ValueError(f"SupernetClassifier has no mode '{mode}'; a subnet is extracted and recalibrated first, "
                             "as 'nasbnn_det.SupernetValLoop' does")
        return self.supernet(inputs, arch or self.biggest)
