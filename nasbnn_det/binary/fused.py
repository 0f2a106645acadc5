"""A brick's training pass as one function: the same numbers as its operators one by one, with less memory and time.

Kept for the backward pass are the signs of the input as bits and what the convolution gave, in 16 bits where that is exact.
Everything else is computed again, the input itself too, from the input of the brick before. The kernels are ``native/``'s.
"""
from dataclasses import dataclass, field
from typing import Any, Callable, List, NamedTuple, Optional, Tuple

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm  # MMEngine's own forms are children of this one

from ..native import training
from ..native.training import Geometry, Grid, Tail, in_order
from .activation import RPReLU, RSign
from .binarization import ActivationRule
from .folded_norm import FoldedNorm
from .shortcut import shortcut

_HOOKS = ('_forward_hooks', '_forward_pre_hooks', '_backward_hooks', '_backward_pre_hooks')
#: Bricks in a row that keep no input of their own.
_DEPTH = 2
_POINT = Geometry((1, 1))


def can_fuse(x: Tensor, norm: nn.Module, *parts: nn.Module) -> bool:
    """Whether the kernels can run a training pass: of float32 or less, on a CPU, with a plain batch norm.

    Args:
        x (Tensor): The input.
        norm (Module): The batch norm.
        *parts (Module): The other modules that would run; a hook of any of them would be passed over.
    """
    if any(getattr(part, hooks) for part in (norm, *parts) for hooks in _HOOKS):
        return False
    return (torch.is_grad_enabled() and x.dim() == 4 and x.numel() > 0
            and (x.dtype == torch.float32 or torch.is_autocast_enabled('cpu') and x.dtype == torch.get_autocast_dtype('cpu'))
            and isinstance(norm, _BatchNorm) and not isinstance(norm, nn.SyncBatchNorm) and norm.affine and norm.track_running_stats and norm.momentum is not None
            and not torch.jit.is_tracing() and not torch.compiler.is_compiling() and training.can_run(norm.weight))


class _Link(NamedTuple):
    """How a map was made of the one before it: by :func:`nasbnn_det.native.training.finish`."""
    z: Tensor
    vectors: Tuple[Tensor, ...]  # factor, offset, slope, bias_out
    stride: Optional[int]  # of the shortcut; None: there is none


@dataclass
class _Recipe:
    """How to make a map again: from a map that is kept, by some links."""
    start: Optional[Tensor]
    links: List[_Link] = field(default_factory=list)
    version: int = 0

    @classmethod
    def of(cls, x: Tensor) -> '_Recipe':
        """The one that the brick before left, unless the map was changed since."""
        recipe = getattr(x, '_nasbnn_recipe', None)
        return recipe if recipe is not None and recipe.version == x._version else cls(in_order(x.detach()))

    def leave(self, y: Tensor, link: _Link) -> None:
        """Tells the next brick how its input is made."""
        if len(self.links) < _DEPTH:
            y._nasbnn_recipe = _Recipe(self.start, [*self.links, link], y._version)

    def tensors(self) -> List[Tensor]:
        """What has to be kept."""
        kept = [] if self.start is None else [self.start]
        return [*kept, *(t for link in self.links for t in (link.z, *link.vectors))]

    def plan(self) -> Tuple[bool, List[Optional[int]]]:
        """All else that :func:`_make` needs."""
        return self.start is not None, [link.stride for link in self.links]


def _make(plan: Tuple[bool, List[Optional[int]]], tensors: List[Tensor]) -> Tensor:
    """Makes a map by a recipe, of whose tensors it takes its own from the list."""
    has_start, strides = plan
    x = tensors.pop(0) if has_start else None
    for stride in strides:
        z, *vectors = (tensors.pop(0) for _ in range(5))
        x = training.finish(Tail(z, _shortcut_map(x, stride, z.shape[1]), *vectors))
    return x


def _shortcut_map(x: Optional[Tensor], stride: Optional[int], out_channels: int) -> Optional[Tensor]:
    """The shortcut before its channels are repeated."""
    return None if stride is None else in_order(shortcut(x, min(x.shape[1], out_channels), stride))


@dataclass
class _Call:
    """What a brick's pass is told beside tensors."""
    geometry: Geometry
    norm: FoldedNorm
    prepare: Callable[..., Tuple[Tensor, Optional[Tensor]]]
    binary: bool
    rule: ActivationRule
    progress: Optional[float]
    names: List[str]  # of what the rule has learned


class Weight(NamedTuple):
    """What a brick convolves with, made anew in each pass.

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


def fuse_brick(x: Tensor, sign: RSign, weight: Weight, norm: nn.BatchNorm2d, act: RPReLU, geometry: Geometry) -> Tensor:
    """RSign -> convolution -> batch norm -> + shortcut(x) -> RPReLU.

    Args:
        x (Tensor): Shape (N, C, H, W).
        sign (RSign): Over C channels or more, of which the first are used; likewise what follows over C'.
        weight (Weight): For C' channels.
        norm (BatchNorm2d): Its statistics are updated in training.
        act (RPReLU): The activation.
        geometry (Geometry): Of the convolution.

    Returns:
        Tensor: Shape (N, C', ceil(H / s), ceil(W / s)), float32, channels_last.

    Raises:
        ValueError: If the batch norm is to take statistics of a single pixel.
    """
    c = weight.latent.shape[0]
    call = _Call(geometry, FoldedNorm(norm, c, geometry.output_shape(x, c)), weight.prepare, weight.binary, sign.rule,
                 sign.known_progress(), list(sign.learned))
    recipe, links = _Recipe.of(x), []
    with torch.autocast('cpu', enabled=False):
        y = _Brick.apply(x, sign.shift(x).flatten(), weight.latent, weight.matrix, *_parameters(norm, act, c), call, recipe,
                         links, *sign.learned.values())
    recipe.leave(y, links[0])
    return y


def _parameters(norm: nn.BatchNorm2d, act: RPReLU, channels: int) -> Tuple[Tensor, ...]:
    """Those per channel behind the convolution."""
    return tuple(p[:channels] for p in (norm.weight, norm.bias, act.bias_in, act.slope, act.bias_out))


class _Brick(torch.autograd.Function):

    @staticmethod
    def forward(ctx: Any, x: Tensor, shift: Tensor, latent: Tensor, matrix: Optional[Tensor], gamma: Tensor, beta: Tensor,
                bias_in: Tensor, slope: Tensor, bias_out: Tensor, call: _Call, recipe: _Recipe, links: List[_Link],
                *learned: Tensor) -> Tensor:
        x = in_order(x)
        shift, slope, bias_out = (t.detach().float().contiguous() for t in (shift, slope, bias_out))
        values, scale = call.prepare(latent, matrix)
        weight = values.float().contiguous()
        bits, z, sums = training.convolve(x, shift, weight, call.geometry, call.binary)
        a = sums.new_ones(()) if scale is None else scale.double()
        folded = call.norm.fold(sums, a, gamma)
        vectors = (*call.norm.affine(folded, beta, bias_in), slope, bias_out)
        ctx.call, ctx.plan, ctx.folded = call, recipe.plan(), folded
        ctx.save_for_backward(*recipe.tensors(), z, *vectors, shift, latent, matrix, bits, *learned)
        links.append(_Link(z, vectors, call.geometry.stride[0]))  # not kept here, as it would outlive the backward pass
        return training.finish(Tail(z, _shortcut_map(x, call.geometry.stride[0], z.shape[1]), *vectors))

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tuple[Optional[Tensor], ...]:
        saved = list(ctx.saved_tensors)
        x = _make(ctx.plan, saved)
        z, factor, offset, slope, bias_out, shift, latent, matrix, bits, *learned = saved
        call, folded, grad = ctx.call, ctx.folded, in_order(grad)
        tail = Tail(z, _shortcut_map(x, call.geometry.stride[0], z.shape[1]), factor, offset, slope, bias_out)
        of_d, of_dz, grad_slope, grad_bias_out = training.reduce(tail, grad)
        grad_gamma, terms = call.norm.backward(folded, of_d, of_dz)
        grid = Grid(x, z.shape[1], call.geometry)
        grad_shortcut = training.spread(tail, grad, *((term * folded.scale).float() for term in terms), grid)
        weight, grad_latent, grad_matrix = _through_weight(ctx, latent, matrix, grid, bits, z, of_dz, terms)
        grad_x = _through_shortcut(x, grad_shortcut, call.geometry.stride[0], z.shape[1])
        grad_shift, *grad_learned = _through_signs(grad_x, grid, x, shift, weight, call, learned)
        grad_bias = of_d.float()
        return (grad_x, grad_shift, grad_latent, grad_matrix, grad_gamma.float(), grad_bias, grad_bias, grad_slope.float(),
                grad_bias_out.float(), None, None, None, *grad_learned)


def _through_weight(ctx: Any, latent: Tensor, matrix: Optional[Tensor], grid: Grid, bits: Tensor, z: Tensor, of_dz: Tensor,
                    terms: Tuple[Tensor, ...]) -> Tuple[Tensor, Optional[Tensor], Optional[Tensor]]:
    """What was convolved with, and the gradients of the latent weight and of the matrix."""
    needed = ctx.needs_input_grad[2:4]
    inputs = [t.detach().requires_grad_(grad) for t, grad in zip((latent, matrix), needed) if t is not None]
    with torch.enable_grad():
        values, scale = ctx.call.prepare(*inputs, *([] if matrix is not None else [None]))
    weight, grads = values.detach().float().contiguous(), [None, None]
    wanted = [i for i, t in enumerate(inputs) if t.requires_grad]
    if wanted:
        outputs = {values: training.weight_gradient(grid, bits, weight.shape).to(values.dtype)}
        if scale is not None and scale.requires_grad:
            k, by_z, constant = terms
            total, squares = training.sum_up(in_order(z))
            outputs[scale] = (k * of_dz + by_z * squares + constant * total).to(scale.dtype)
        found = torch.autograd.grad(list(outputs), [inputs[i] for i in wanted], list(outputs.values()), allow_unused=True)
        for i, grad in zip(wanted, found):
            grads[i] = grad
    return weight, grads[0], grads[1]


def _through_shortcut(x: Tensor, grad_shortcut: Tensor, stride: int, out_channels: int) -> Tensor:
    """The gradient of the input through the shortcut alone."""
    if grad_shortcut.shape == x.shape and stride == 1:
        return grad_shortcut
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        return in_order(torch.autograd.grad(_shortcut_map(x, stride, out_channels), x, grad_shortcut)[0])


def _through_signs(grad_x: Tensor, grid: Grid, x: Tensor, shift: Tensor, weight: Tensor, call: _Call,
                   learned: List[Tensor]) -> List[Tensor]:
    """Adds the gradient through the signs to ``grad_x``; returns those of the shift and of what the rule has learned."""
    surrogate = call.rule.kernel
    if surrogate:
        return [training.input_gradient(grid, weight, call.binary, x, shift, surrogate, grad_x).float()]
    grad_signs = training.signs_gradient(grid, weight, call.binary, x)
    with torch.enable_grad():
        inputs = [t.detach().requires_grad_() for t in (x, shift, *learned)]
        signs = call.rule(inputs[0] + inputs[1].view(-1, 1, 1), call.progress, **dict(zip(call.names, inputs[2:])))
        through, *others = torch.autograd.grad(signs, inputs, grad_signs)
    grad_x += through
    return others


def fuse_tail(z: Tensor, norm: nn.BatchNorm2d, act: RPReLU) -> Tensor:
    """Batch norm -> RPReLU, for a layer whose convolution is not binary.

    Args:
        z (Tensor): What the convolution gave, shape (N, C, H, W).
        norm (BatchNorm2d): Over C channels or more, of which the first are used; its statistics are updated in training.
        act (RPReLU): Likewise.

    Returns:
        Tensor: Shape (N, C, H, W), float32, channels_last.

    Raises:
        ValueError: If the batch norm is to take statistics of a single pixel.
    """
    c = z.shape[1]
    folded_norm, links = FoldedNorm(norm, c, z.shape), []
    with torch.autocast('cpu', enabled=False):
        y = _Tail.apply(z, *_parameters(norm, act, c), folded_norm, links)
    _Recipe(None).leave(y, links[0])
    return y


class _Tail(torch.autograd.Function):

    @staticmethod
    def forward(ctx: Any, z: Tensor, gamma: Tensor, beta: Tensor, bias_in: Tensor, slope: Tensor, bias_out: Tensor,
                norm: FoldedNorm, links: List[_Link]) -> Tensor:
        z = in_order(z)
        sums = training.sum_up(z)
        ctx.norm, ctx.folded = norm, norm.fold(sums, sums.new_ones(()), gamma)
        vectors = (*norm.affine(ctx.folded, beta, bias_in), *(t.detach().float().contiguous() for t in (slope, bias_out)))
        ctx.save_for_backward(z, *vectors)
        links.append(_Link(z, vectors, None))
        return training.finish(Tail(z, None, *vectors))

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tuple[Optional[Tensor], ...]:
        z, *vectors = ctx.saved_tensors
        tail, grad = Tail(z, None, *vectors), in_order(grad)
        of_d, of_dz, grad_slope, grad_bias_out = training.reduce(tail, grad)
        grad_gamma, terms = ctx.norm.backward(ctx.folded, of_d, of_dz)
        grid = Grid(z, z.shape[1], _POINT)
        training.spread(tail, grad, *(term.float() for term in terms), grid)
        n, c, h, w = z.shape
        grad_z = grid.data[:z.numel()].view(n, h, w, c).permute(0, 3, 1, 2)
        grad_bias = of_d.float()
        return grad_z, grad_gamma.float(), grad_bias, grad_bias, grad_slope.float(), grad_bias_out.float(), None, None
