"""NASB (arXiv 2008.03515): which small graph of binary operations best stands in for each convolution of a ResNet.

A documented interpretation, docs/nasb.md. This needs torch and numpy alone; the MMEngine side is in ``engine/``.
"""
from .cell import Cell, CellSpace, Edge
from .costs import NetOps, candidate_ops, count_cell_ops, count_net_ops, count_params
from .derive import derive_cells
from .modules import DiscreteCell, MixedCell
from .network import CellNet, load_cells
from .operations import OPERATIONS, CellRules, Operation, register_operation
from .resnet import CellSite, ResNetShape, StemShape

__all__ = [
    'Cell', 'CellNet', 'CellRules', 'CellSite', 'CellSpace', 'DiscreteCell', 'Edge', 'MixedCell', 'NetOps',
    'OPERATIONS', 'Operation', 'ResNetShape', 'StemShape', 'candidate_ops', 'derive_cells', 'count_cell_ops',
    'count_net_ops', 'count_params', 'load_cells', 'register_operation'
]
