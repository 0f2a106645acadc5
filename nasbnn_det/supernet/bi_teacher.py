"""The Bi-Teacher training step: four passes whose gradients add up (arXiv 2408.15484, Sec. 3.2)."""
from typing import Callable, Dict, Iterator, Sequence, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ..arch import Arch
from .slicing import gradients_added_to_parts
from .supernet import Supernet


def soft_cross_entropy(logits: Tensor, teacher_logits: Tensor) -> Tensor:
    """Cross-entropy against the teacher's softmax at temperature 1.

    Args:
        logits (Tensor): Shape (N, classes).
        teacher_logits (Tensor): Shape (N, classes), taken as a constant.

    Returns:
        Tensor: Mean over the batch, a scalar.
    """
    return F.cross_entropy(logits, teacher_logits.detach().softmax(1))


def bi_teacher_passes(supernet: Callable[..., Tensor], images: Tensor, labels: Tensor, teacher: Arch,
                      students: Sequence[Tuple[str, Arch]],
                      label_smoothing: float = 0.1, real_teacher: bool = True) -> Iterator[Tuple[str, Tensor]]:
    """Yields the loss of each pass, to be backpropagated before the next one is asked for.

    The first pass is the teacher: the biggest network with real weights against the labels. Then the
    students, binary, against the teacher's detached logits; NAS-BNN takes the smallest network and two
    random ones. Gradients add up in the parameters' ``grad``; ``torch.autograd.grad`` is not given those of sliced weights.

    Args:
        supernet (Callable): ``supernet(images, arch, real_weights)`` gives logits.
        images (Tensor): Shape (N, 3, H, W).
        labels (Tensor): Class indices, shape (N, ), or probabilities, shape (N, classes).
        teacher (Arch): The biggest architecture.
        students (Sequence[tuple[str, Arch]]): Names and architectures.
        label_smoothing (float): Of the teacher's loss. Defaults to 0.1.
        real_teacher (bool): False binarises the teacher's weights too, the usual sandwich rule without Bi-Teacher.
            Defaults to True.

    Yields:
        tuple[str, Tensor]: Name of the pass and its scalar loss.
    """
    logits = _forward(supernet, images, teacher, real_teacher)
    yield 'teacher', F.cross_entropy(logits, labels, label_smoothing=label_smoothing)
    target = logits.detach()
    del logits
    for name, arch in students:
        yield name, soft_cross_entropy(_forward(supernet, images, arch, False), target)


@gradients_added_to_parts()
def _forward(supernet: Callable[..., Tensor], images: Tensor, arch: Arch, real_weights: bool) -> Tensor:
    return supernet(images, arch, real_weights)


def decayed_parameters(supernet: Supernet) -> Dict[str, torch.nn.Parameter]:
    """The parameters weight decay applies to: 4-d convolution weights and the linear layer's weight."""
    return {
        name: p
        for name, p in supernet.named_parameters() if p.dim() == 4 or name.endswith('fc.weight')
    }
