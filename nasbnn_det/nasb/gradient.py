"""The gradient of alphas, first or second order (DARTS, arXiv 1806.09055, Sec. 2.3). Imports torch only."""
from contextlib import contextmanager
from typing import Callable, Iterator, List, Sequence, Tuple

import torch
from torch import Tensor

Loss = Callable[[], Tensor]


@contextmanager
def gradients_for(wanted: Sequence[Tensor], others: Sequence[Tensor]) -> Iterator[None]:
    """Inside, ``wanted`` need a gradient and ``others`` do not; afterwards all are as they were."""
    before = [(p, p.requires_grad) for p in (*wanted, *others)]
    try:
        for parameter in wanted:
            parameter.requires_grad_(True)
        for parameter in others:
            parameter.requires_grad_(False)
        yield
    finally:
        for parameter, needed in before:
            parameter.requires_grad_(needed)


def first_order(loss: Loss, alphas: Sequence[Tensor], weights: Sequence[Tensor]) -> Tuple[Tensor, List[Tensor]]:
    """Loss of the alphas' images and its gradient, the network's weights taken as they are.

    Args:
        loss (Callable): Gives the loss, a scalar, with a graph to whatever needs a gradient.
        alphas (Sequence[Tensor]): Architecture parameters.
        weights (Sequence[Tensor]): The network's weights.

    Returns:
        tuple[Tensor, list[Tensor]]: The loss and one gradient per alpha tensor.
    """
    with gradients_for(alphas, weights):
        value = loss()
        return value.detach(), list(torch.autograd.grad(value, alphas))


def second_order(loss: Loss, weight_loss: Loss, alphas: Sequence[Tensor], weights: Sequence[Tensor], rate: float,
                 epsilon: float = 0.01) -> Tuple[Tensor, List[Tensor]]:
    """As :func:`first_order`, at the weights one step of gradient descent ahead, as a function of the alphas.

    The product with the mixed second derivative is a central difference. With signs in the network both are those of
    the surrogate gradients.

    Args:
        loss (Callable): Loss of the alphas' images.
        weight_loss (Callable): Loss of the weights' images.
        alphas (Sequence[Tensor]): Architecture parameters.
        weights (Sequence[Tensor]): The network's weights; unchanged afterwards.
        rate (float): Length of the step ahead: the weights' learning rate.
        epsilon (float): Length of the difference's step in weight space. Defaults to 0.01.

    Returns:
        tuple[Tensor, list[Tensor]]: The loss one step ahead, and one gradient per alpha tensor.
    """
    kept = [w.detach().clone() for w in weights]

    def move(directions: Sequence[Tensor], length: float) -> None:
        with torch.no_grad():
            for w, start, direction in zip(weights, kept, directions):
                w.copy_(start + length * direction)

    try:
        with gradients_for(weights, alphas):
            descent = _gradients(weight_loss(), weights)
        move(descent, -rate)
        with gradients_for([*alphas, *weights], []):
            value = loss()
            gradients = _gradients(value, [*alphas, *weights])
        direct, ahead = gradients[:len(alphas)], gradients[len(alphas):]
        norm = torch.stack([g.norm() for g in ahead]).norm()
        length = float(epsilon / norm.clamp(min=1e-12))
        sides = []
        for sign in (1, -1):
            move(ahead, sign * length)
            with gradients_for(alphas, weights):
                sides.append(_gradients(weight_loss(), alphas))
        mixed = [rate * (plus - minus) / (2 * length) for plus, minus in zip(*sides)]
        return value.detach(), [d - m for d, m in zip(direct, mixed)]
    finally:
        move([torch.zeros_like(w) for w in weights], 0.0)


def _gradients(value: Tensor, parameters: Sequence[Tensor]) -> List[Tensor]:
    """Gradients of all parameters, zero where the value does not depend on one."""
    found = torch.autograd.grad(value, list(parameters), allow_unused=True)
    return [torch.zeros_like(p) if g is None else g for p, g in zip(parameters, found)]
