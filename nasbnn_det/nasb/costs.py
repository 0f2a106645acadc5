"""Operations and parameters of cells and of networks of cells, for a stated input size (docs/counting_ops.md)."""
from dataclasses import dataclass
from typing import List, Optional, Tuple

import numpy as np
from torch import nn

from ..costs import Ops, conv_macs, conv_size
from ..costs.params import Params
from .cell import Cell, CellSpace
from .network import CellNet
from .operations import OPERATIONS, CellRules
from .resnet import CellSite, ResNetShape

_KERNEL = (3, 3)


def count_cell_ops(cell: Cell, site: CellSite, size: Tuple[int, int], rules: CellRules = CellRules()) -> Ops:
    """Operations of a cell for one image.

    Args:
        cell (Cell): The cell.
        site (CellSite): Its place.
        size (tuple[int, int]): Height and width of its output.
        rules (CellRules): What all cells have in common; binary precision is assumed.
    """
    channels = site.in_channels, site.out_channels
    ops = Ops(bops=cell.num_bases * conv_macs(_KERNEL, *channels, 1, size))
    if rules.projection and (site.stride > 1 or channels[0] != channels[1]):
        ops += Ops(float_macs=conv_macs((1, 1), *channels, 1, size))
    for edge in cell.edges:
        inputs = site.out_channels if edge.source else site.in_channels
        ops += OPERATIONS[edge.operation].count_ops(inputs, site.out_channels, size, cell.num_bases)
    return ops


@dataclass(frozen=True)
class NetOps:
    """Operations of a network by place.

    Args:
        cells (tuple[Ops]): Of each cell, in the order of the network.
        others (Ops): Of the stem, the bottlenecks' 1 x 1 convolutions and the classifier.
    """
    cells: Tuple[Ops, ...]
    others: Ops

    @property
    def total(self) -> Ops:
        """Of the whole network."""
        return sum(self.cells, self.others)


def count_net_ops(net: CellNet, shape: ResNetShape, input_size: Tuple[int, int], rules: CellRules = CellRules(),
                  num_classes: Optional[int] = None) -> NetOps:
    """Operations of a network of cells for one RGB image.

    Args:
        net (CellNet): The cells.
        shape (ResNetShape): Widths and strides.
        input_size (tuple[int, int]): Height and width in pixels.
        rules (CellRules): What all cells have in common; binary precision is assumed.
        num_classes (int, optional): Counts the linear classifier too; None counts the backbone alone.
    """
    stem, places = shape.stem, list(zip(shape.sites, shape.site_sizes(input_size)))
    kernel = (stem.kernel_size, stem.kernel_size)
    others = Ops(int8_macs=conv_macs(kernel, 3, shape.base_channels, 1, conv_size(input_size, stem.stride)))
    if shape.bottleneck:
        before = shape.base_channels
        for site, size in places:
            width, out = site.out_channels, 4 * site.out_channels
            others += Ops(bops=conv_macs((1, 1), before, width, 1, conv_size(input_size, site.reduction))
                          + conv_macs((1, 1), width, out, 1, size))
            before = out
    if num_classes:
        others += Ops(float_macs=num_classes * (shape.stage_channels[-1] + 1))
    cells = tuple(count_cell_ops(cell, site, size, rules) for cell, (site, size) in zip(net.cells, places))
    return NetOps(cells, others)


def candidate_ops(space: CellSpace, site: CellSite, size: Tuple[int, int]) -> np.ndarray:
    """OPs that each candidate of each edge would add.

    Args:
        space (CellSpace): The candidates.
        site (CellSite): The cell's place.
        size (tuple[int, int]): Height and width of its output.

    Returns:
        np.ndarray: Plain counts, shape (edges, operations).
    """
    return np.array([[OPERATIONS[name].count_ops(site.out_channels if source else site.in_channels, site.out_channels,
                                                 size, space.num_bases).ops
                      for name in space.operations] for source, _ in space.pairs])


def count_params(*modules: nn.Module) -> Params:
    """Learned values of modules by the precision a deployed network has to store them in."""
    bits = {1: 0, 8: 0, 32: 0}
    for module in (m for root in modules for m in root.modules()):
        for name, parameter in module.named_parameters(recurse=False):
            bits[getattr(module, 'weight_bits', 32) if name == 'weight' else 32] += parameter.numel()
    return Params(bits[1], bits[8], bits[32])


def expected_ops(probabilities: List[np.ndarray], costs: List[np.ndarray]) -> float:
    """OPs that edges add on average: candidates' OPs weighed by their probabilities."""
    return float(sum((p * c).sum() for p, c in zip(probabilities, costs)))
