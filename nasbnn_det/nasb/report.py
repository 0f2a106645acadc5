"""What found cells cost over the plain binary network, per cell and in total."""
from dataclasses import dataclass
from typing import List, Tuple

from ..costs import Ops
from ..costs.params import Params
from .cell import Cell
from .costs import count_cell_ops, count_net_ops, count_params
from .modules import DiscreteCell
from .network import CellNet
from .operations import CellRules
from .resnet import ResNetShape, build_stages, build_stem


@dataclass(frozen=True)
class Cost:
    """What a network or a part of it costs beside its plain form.

    Args:
        name (str): Of the part.
        graph (str): The cell in words; empty for sums.
        ops (Ops): Operations for one image.
        plain_ops (Ops): Of the plain form: one binary convolution per cell.
        params (Params): Learned values.
        plain_params (Params): Of the plain form.
    """
    name: str
    graph: str
    ops: Ops
    plain_ops: Ops
    params: Params
    plain_params: Params

    @property
    def ops_overhead(self) -> float:
        """OPs over those of the plain form, minus one."""
        return self.ops.ops / self.plain_ops.ops - 1

    @property
    def size_overhead(self) -> float:
        """Bytes over those of the plain form, minus one."""
        return self.params.bytes / self.plain_params.bytes - 1

    def to_dict(self) -> dict:
        """JSON-ready form."""
        return dict(name=self.name, graph=self.graph, ops=self.ops.ops, bops=self.ops.bops,
                    plain_ops=self.plain_ops.ops, ops_overhead=self.ops_overhead, params=self.params.total,
                    plain_params=self.plain_params.total, bytes=self.params.bytes, plain_bytes=self.plain_params.bytes,
                    size_overhead=self.size_overhead)


def net_costs(net: CellNet, shape: ResNetShape, input_size: Tuple[int, int],
              rules: CellRules = CellRules()) -> List[Cost]:
    """Costs of each cell and, last, of the whole backbone.

    Args:
        net (CellNet): The cells.
        shape (ResNetShape): Widths and strides.
        input_size (tuple[int, int]): Height and width in pixels.
        rules (CellRules): What all cells have in common.
    """
    rows = []
    for site, size, (name, cell) in zip(shape.sites, shape.site_sizes(input_size), net.by_name.items()):
        ops = [count_cell_ops(c, site, size, rules) for c in (cell, Cell())]
        params = [count_params(DiscreteCell(site.in_channels, site.out_channels, 3, site.stride, c, rules))
                  for c in (cell, Cell())]
        rows.append(Cost(name, str(cell), *ops, *params))
    nets = net, CellNet.plain(net.depth)
    ops = [count_net_ops(n, shape, input_size, rules).total for n in nets]
    params = [count_params(*_modules(n, shape, rules)) for n in nets]
    return [*rows, Cost('backbone', '', *ops, *params)]


def _modules(net: CellNet, shape: ResNetShape, rules: CellRules) -> list:
    """Stem and stages of a network."""
    return [build_stem(shape), *build_stages(
        shape, lambda site: DiscreteCell(site.in_channels, site.out_channels, 3, site.stride, net.by_name[site.name],
                                         rules), rules)]
