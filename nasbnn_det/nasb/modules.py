"""The two forms of a cell as a network: mixed for the search, discrete for what it found. Same parts, same numbers.

Every convolution of a cell is a module of its own beside plain pooling and adding, so that packing can go module by
module: the backbone edge is made of bricks, every further binary convolution a ``BinaryConv2d`` and its batch norm.
"""
from functools import partial
from typing import Callable, Dict, Iterator, Optional, Tuple, Union

import torch
from torch import Tensor, nn

from ..binary import BinaryConvModule
from .cell import Cell, CellSpace
from .operations import NO_EDGE, OPERATIONS, CellRules


def edge_key(source: int, target: int) -> str:
    """Name of an edge's module, and of its weights in a state dict."""
    return f'{source}_{target}'


class _CellModule(nn.Module):
    """The graph's walk, which both forms share.

    Args:
        in_channels (int): C of the input (N, C, H, W).
        out_channels (int): C' of the output (N, C', ceil(H / stride), ceil(W / stride)).
        kernel_size (int): Kernel of the backbone edge.
        stride (int): Of the backbone edge and of all edges that leave the input.
        num_nodes (int): Nodes, input and output included.
        num_bases (int): K; the backbone edge is the mean of K bricks, each with a shortcut and an activation of its
            own (GroupNet, arXiv 1811.10413, Sec. 3.2).
        rules (CellRules): What all cells have in common.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, stride: int, num_nodes: int,
                 num_bases: int, rules: CellRules) -> None:
        super().__init__()
        self.num_nodes = num_nodes
        self.backbone = nn.ModuleList(
            BinaryConvModule(in_channels, out_channels, kernel_size, stride, binarization=rules.binarization)
            for _ in range(num_bases))
        self.edges = nn.ModuleDict()
        self.projection: Optional[nn.Module] = None
        if rules.projection and (stride > 1 or in_channels != out_channels):
            self.projection = nn.Sequential(
                nn.AvgPool2d(stride, ceil_mode=True, count_include_pad=False),
                nn.Conv2d(in_channels, out_channels, 1, bias=False), nn.BatchNorm2d(out_channels))

    def _edges(self) -> Iterator[Tuple[int, int, Callable[[Tensor], Tensor]]]:
        """Source, target and function of every edge, in the order of the targets."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """Shape (N, C', ceil(H / stride), ceil(W / stride)) for (N, C, H, W)."""
        out = self.backbone[0](x)
        if len(self.backbone) > 1:
            out = (out + sum(brick(x) for brick in self.backbone[1:])) / len(self.backbone)
        if self.projection is not None:
            out = out + self.projection(x)
        # In the order of the targets, a node is complete before an edge leaves it.
        nodes = [x, *[0] * (self.num_nodes - 2), out]
        for source, target, edge in self._edges():
            nodes[target] = nodes[target] + edge(nodes[source])
        return nodes[-1]


class DiscreteCell(_CellModule):
    """The network of a found cell.

    Args:
        in_channels (int): C of the input (N, C, H, W).
        out_channels (int): C' of the output (N, C', ceil(H / stride), ceil(W / stride)).
        kernel_size (int): Kernel of the backbone edge.
        stride (int): Stride.
        cell (Cell): The graph.
        rules (CellRules): What all cells have in common.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, stride: int, cell: Cell,
                 rules: CellRules = CellRules()) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, cell.num_nodes, cell.num_bases, rules)
        for edge in sorted(cell.edges, key=lambda e: (e.target, e.source)):
            inputs, step = (out_channels, 1) if edge.source else (in_channels, stride)
            self.edges[edge_key(edge.source, edge.target)] = OPERATIONS[edge.operation](
                inputs, out_channels, step, cell.num_bases, rules)

    def _edges(self) -> Iterator[Tuple[int, int, Callable[[Tensor], Tensor]]]:
        for key, edge in self.edges.items():
            source, target = key.split('_')
            yield int(source), int(target), edge


class MixedCell(_CellModule):
    """A cell with all candidates of all edges, weighted by a softmax over ``alphas``.

    Args:
        in_channels (int): C of the input (N, C, H, W).
        out_channels (int): C' of the output (N, C', ceil(H / stride), ceil(W / stride)).
        kernel_size (int): Kernel of the backbone edge.
        stride (int): Stride.
        space (CellSpace): The candidates.
        rules (CellRules): What all cells have in common.

    Attributes:
        alphas (nn.Parameter): Shape (edges, operations), zeros at first. They need no gradient unless a search
            asks for it, so that ordinary training leaves the mixture even.
        temperature (Tensor): Of the softmax, a buffer; 1 at first.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, stride: int, space: CellSpace,
                 rules: CellRules = CellRules()) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, space.num_nodes, space.num_bases, rules)
        self.space = space
        for source, target in space.pairs:
            inputs, step = (out_channels, 1) if source else (in_channels, stride)
            self.edges[edge_key(source, target)] = nn.ModuleDict({
                name: OPERATIONS[name](inputs, out_channels, step, space.num_bases, rules)
                for name in space.operations if name != NO_EDGE})
        self.alphas = nn.Parameter(torch.zeros(len(space.pairs), len(space.operations)), requires_grad=False)
        self.register_buffer('temperature', torch.tensor(1.0))

    def probabilities(self) -> Tensor:
        """Softmax of the alphas at the current temperature, shape (edges, operations)."""
        return (self.alphas / self.temperature).softmax(1)

    def _edges(self) -> Iterator[Tuple[int, int, Callable[[Tensor], Tensor]]]:
        rows = [dict(zip(self.space.operations, row)) for row in self.probabilities().unbind()]
        # How surely a node has an input. A node that nothing enters must add nothing, as in the discrete form, and
        # convolutions and batch norms do not map zero to zero: what leaves a node is weighed by this.
        absent = [0.0] + [1.0] * (self.num_nodes - 1)
        for (source, target), row in zip(self.space.pairs, rows):
            present = 1 - absent[source]
            absent[target] = absent[target] * (1 - present * (1 - row.get(NO_EDGE, 0.0)))
            yield source, target, partial(self._mix, self.edges[edge_key(source, target)], row, present)

    @staticmethod
    def _mix(candidates: nn.ModuleDict, weights: Dict[str, Tensor], present: Union[Tensor, float],
             x: Tensor) -> Tensor:
        return sum(weights[name] * present * candidates[name](x) for name in candidates)
