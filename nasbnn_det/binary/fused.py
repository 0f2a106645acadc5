"""A binary convolution and what surrounds it as one function of autograd: the numbers of the operators one by one, with less
memory and time.

Kept for the backward pass are the signs of the input as bits and what the convolution gave, in 16 bits where that is exact.
Everything else is computed again, the weight and the input too (``recipe.py``). The kernels are ``native/``'s.
"""
from dataclasses import dataclass
from typing import Any, Callable, List, NamedTuple, Optional, Sequence, Tuple

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm  # MMEngine's own forms are children of this one

from ..native import training
from ..native.training import Geometry, Grid, Tail, in_order
from .activation import RPReLU, RSign
from .binarization import ActivationRule
from .folded_norm import FoldedNorm
from .recipe import Link, Recipe, make, shortcut_map

_HOOKS = ('_forward_hooks', '_forward_pre_hooks', '_backward_hooks', '_backward_pre_hooks')
_POINT = Geometry((1, 1))


def can_fuse(x: Tensor, *parts: nn.Module) -> bool:
    """Whether the kernels can run a training pass: of float32 or less, on a CPU, without hooks that would be passed over.

    Args:
        x (Tensor): The input.
        *parts (Module): The modules that would run otherwise.
    """
    if not torch.is_grad_enabled() or torch.jit.is_tracing() or torch.compiler.is_compiling():
        return False
    if x.dim() != 4 or x.numel() == 0:
        return False
    half = torch.is_autocast_enabled('cpu') and x.dtype == torch.get_autocast_dtype('cpu')
    if not (half or x.dtype == torch.float32):
        return False
    for part in parts:
        if any(getattr(part, hooks, None) for hooks in _HOOKS):
            return False
        if isinstance(part, _BatchNorm) and (isinstance(part, nn.SyncBatchNorm) or not part.affine or part.momentum is None
                                             or not part.track_running_stats):
            return False
        if not all(training.can_run(p) for p in part.parameters(recurse=False)):
            return False
    return True


class Weight(NamedTuple):
    """What is convolved with, made anew in each pass.

    Args:
        latent (Tensor): Shape (C', C / groups, k, k).
        matrix (Tensor, optional): A learned matrix of the rule.
        prepare (Callable): ``prepare(latent, matrix)`` gives what is convolved with, of the latent's shape, and the scale of
            the convolution's output, shape (C', ), or None for 1.
        binary (bool): Whether it gives ±1.
    """
    latent: Tensor
    matrix: Optional[Tensor]
    prepare: Callable[[Tensor, Optional[Tensor]], Tuple[Tensor, Optional[Tensor]]]
    binary: bool


def fuse(x: Tensor, sign: RSign, weight: Weight, geometry: Geometry, norm: Optional[nn.Module] = None,
         act: Optional[RPReLU] = None, bias: Optional[Tensor] = None, shortcut: bool = False) -> Tensor:
    """RSign -> convolution -> batch norm -> + shortcut(x) -> RPReLU, or a part of them.

    Args:
        x (Tensor): Shape (N, C, H, W).
        sign (RSign): Over C channels or more, of which the first are used; likewise what follows over C'.
        weight (Weight): For C' channels.
        geometry (Geometry): Of the convolution.
        norm (Module, optional): A batch norm, whose statistics are updated in training. Defaults to None.
        act (RPReLU, optional): The activation. Defaults to None.
        bias (Tensor, optional): Of a convolution without a batch norm, shape (C', ). Defaults to None.
        shortcut (bool): Whether the shortcut is added. Defaults to False.

    Returns:
        Tensor: Shape (N, C', ceil(H / s), ceil(W / s)), float32, channels_last.

    Raises:
        ValueError: If the batch norm is to take statistics of a single pixel.
    """
    c = weight.latent.shape[0]
    call = _Call(geometry, FoldedNorm(norm, geometry.output_shape(x, c)), weight.prepare, weight.binary,
                 torch.is_autocast_enabled('cpu'), sign.rule, sign.known_progress(), list(sign.learned), shortcut)
    recipe, links = Recipe.of(x), []  # type: Recipe, List[Link]
    with torch.autocast('cpu', enabled=False):
        y = _Convolve.apply(x, sign.shift(x).flatten(), weight.latent, weight.matrix, *_vectors(norm, act, bias), call,
                            recipe, links, *sign.learned.values())
    recipe.leave(y, links[0])
    return y


def fuse_tail(z: Tensor, norm: nn.Module, act: RPReLU) -> Tensor:
    """Batch norm -> RPReLU, for a layer whose convolution is not binary.

    Args:
        z (Tensor): What the convolution gave, shape (N, C, H, W).
        norm (Module): A batch norm over C channels or more, of which the first are used, as of ``act``; its statistics are
            updated in training.
        act (RPReLU): The activation.

    Returns:
        Tensor: Shape (N, C, H, W), float32, channels_last.

    Raises:
        ValueError: If the batch norm is to take statistics of a single pixel.
    """
    links: List[Link] = []
    with torch.autocast('cpu', enabled=False):
        y = _Tail.apply(z, *_vectors(norm, act), FoldedNorm(norm, z.shape), links)
    Recipe(None).leave(y, links[0])
    return y


def _vectors(norm: Optional[nn.Module], act: Optional[RPReLU],
             bias: Optional[Tensor] = None) -> Tuple[Optional[Tensor], ...]:
    """Batch norm's weight and bias, and RPReLU's shift, slope and shift, of all channels; None where one is missing."""
    return (*((None, bias) if norm is None else (norm.weight, norm.bias)),
            *((None, None, None) if act is None else (act.bias_in, act.slope, act.bias_out)))


def _gradients(grads: Tensor, vectors: Sequence[Optional[Tensor]]) -> List[Optional[Tensor]]:
    """Those of :func:`_vectors` from those of their first channels; no two share memory, as they become the parameters'."""
    found: List[Optional[Tensor]] = []
    for grad, vector in zip(grads, vectors):
        if vector is not None and vector.numel() != grad.numel():
            whole = torch.zeros_like(vector)
            whole[:grad.numel()] = grad
            found.append(whole)
        else:
            found.append(None if vector is None else grad)
    return found


@dataclass
class _Call:
    """What a pass is told beside tensors."""
    geometry: Geometry
    norm: FoldedNorm
    prepare: Callable[..., Tuple[Tensor, Optional[Tensor]]]
    binary: bool
    half: bool
    rule: ActivationRule
    progress: Optional[float]
    names: List[str]  # of what the rule has learned
    shortcut: bool

    @property
    def stride(self) -> Optional[int]:
        """Of the shortcut."""
        return self.geometry.stride[0] if self.shortcut else None


class _Convolve(torch.autograd.Function):

    @staticmethod
    def forward(ctx: Any, x: Tensor, shift: Tensor, latent: Tensor, matrix: Optional[Tensor], gamma: Optional[Tensor],
                beta: Optional[Tensor], bias_in: Optional[Tensor], slope: Optional[Tensor], bias_out: Optional[Tensor],
                call: _Call, recipe: Recipe, links: List[Link], *learned: Tensor) -> Tensor:
        x, own = in_order(x), (gamma, beta, bias_in, slope, bias_out)
        values, scale = call.prepare(latent, matrix)
        bits, z, sums = training.convolve(x, shift, values.float().contiguous(), call.geometry, call.binary, call.half)
        vectors, state = call.norm.fold(sums, None if scale is None else scale.float(), own)
        ctx.call, ctx.plan = call, recipe.plan()
        ctx.save_for_backward(*recipe.tensors(), z, vectors, state, shift, latent, matrix, bits, *own, *learned)
        links.append(Link(z, vectors, call.stride))  # not kept here, as it would outlive the backward pass
        return training.finish(Tail(z, shortcut_map(x, call.stride, z.shape[1]), vectors))

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tuple[Optional[Tensor], ...]:
        saved = list(ctx.saved_tensors)
        x = make(ctx.plan, saved)
        z, vectors, state, shift, latent, matrix, bits, *others = saved
        own, learned = others[:5], others[5:]
        call, grad = ctx.call, in_order(grad)
        tail = Tail(z, shortcut_map(x, call.stride, z.shape[1]), vectors)
        sums = training.reduce(tail, grad)
        terms, grads = call.norm.terms(state, sums, own[0])
        grid = Grid(x, z.shape[1], call.geometry)
        grad_shortcut = training.spread(tail, grad, terms, grid)
        weight, grad_latent, grad_matrix = _through_weight(ctx, latent, matrix, grid, bits, z, sums[1], terms)
        grad_x = _through_shortcut(x, grad_shortcut, call.stride, z.shape[1])
        grad_shift, *grad_learned = _through_signs(grad_x, grid, x, shift, weight, call, learned)
        return (grad_x, grad_shift, grad_latent, grad_matrix, *_gradients(grads, own), None, None, None, *grad_learned)


def _through_weight(ctx: Any, latent: Tensor, matrix: Optional[Tensor], grid: Grid, bits: Tensor, z: Tensor, of_dz: Tensor,
                    terms: Tensor) -> Tuple[Tensor, Optional[Tensor], Optional[Tensor]]:
    """What was convolved with, and the gradients of the latent weight and of the matrix."""
    needed = ctx.needs_input_grad[2:4]
    inputs = [t.detach().requires_grad_(grad) for t, grad in zip((latent, matrix), needed) if t is not None]
    with torch.enable_grad():
        values, scale = ctx.call.prepare(*inputs, *([] if matrix is not None else [None]))
    weight, grads = values.detach().float().contiguous(), [None, None]
    wanted = [i for i, t in enumerate(inputs) if t.requires_grad]
    if wanted:
        outputs = {values: training.weight_gradient(grid, bits, weight.shape, ctx.call.half).to(values.dtype)}
        if scale is not None and scale.requires_grad:
            # The terms are those of z, a times those of a * z.
            k, by_z, constant = terms.double()
            total, squares = training.sum_up(in_order(z))
            of_scale = k * of_dz + by_z * squares + constant * total
            outputs[scale] = (of_scale / scale.detach().clamp(min=torch.finfo(scale.dtype).tiny)).to(scale.dtype)
        found = torch.autograd.grad(list(outputs), [inputs[i] for i in wanted], list(outputs.values()), allow_unused=True)
        for i, grad in zip(wanted, found):
            grads[i] = grad
    return weight, grads[0], grads[1]


def _through_shortcut(x: Tensor, grad_shortcut: Optional[Tensor], stride: Optional[int], out_channels: int) -> Tensor:
    """The gradient of the input through the shortcut alone."""
    if grad_shortcut is None:
        return in_order(torch.zeros_like(x))
    if grad_shortcut.shape == x.shape and stride == 1:
        return grad_shortcut
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        return in_order(torch.autograd.grad(shortcut_map(x, stride, out_channels), x, grad_shortcut)[0])


def _through_signs(grad_x: Tensor, grid: Grid, x: Tensor, shift: Tensor, weight: Tensor, call: _Call,
                   learned: List[Tensor]) -> List[Tensor]:
    """Adds the gradient through the signs to ``grad_x``; returns those of the shift and of what the rule has learned."""
    surrogate = call.rule.kernel
    if surrogate:
        return [training.input_gradient(grid, weight, call.binary, x, shift, surrogate, grad_x, call.half).float()]
    grad_signs = training.signs_gradient(grid, weight, call.binary, x, call.half)
    with torch.enable_grad():
        inputs = [t.detach().requires_grad_() for t in (x, shift, *learned)]
        signs = call.rule(inputs[0] + inputs[1].view(-1, 1, 1), call.progress, **dict(zip(call.names, inputs[2:])))
        through, *others = torch.autograd.grad(signs, inputs, grad_signs)
    grad_x += through
    return others


class _Tail(torch.autograd.Function):

    @staticmethod
    def forward(ctx: Any, z: Tensor, gamma: Tensor, beta: Tensor, bias_in: Tensor, slope: Tensor, bias_out: Tensor,
                norm: FoldedNorm, links: List[Link]) -> Tensor:
        z, own, ctx.norm = in_order(z), (gamma, beta, bias_in, slope, bias_out), norm
        vectors, state = norm.fold(training.sum_up(z), None, own)
        ctx.save_for_backward(z, vectors, state, *own)
        links.append(Link(z, vectors, None))
        return training.finish(Tail(z, None, vectors))

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tuple[Optional[Tensor], ...]:
        z, vectors, state, *own = ctx.saved_tensors
        tail, grad = Tail(z, None, vectors), in_order(grad)
        terms, grads = ctx.norm.terms(state, training.reduce(tail, grad), own[0])
        grid = Grid(z, z.shape[1], _POINT)
        training.spread(tail, grad, terms, grid)
        n, c, h, w = z.shape
        return grid.data[:z.numel()].view(n, h, w, c).permute(0, 3, 1, 2), *_gradients(grads, own), None, None
