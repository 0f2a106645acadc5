"""What a network costs: operations, parameters, bytes. This page imports nothing heavy."""
from .ops import Ops, conv_macs, conv_size, count_ops
from .params import Params, count_params

__all__ = ['Ops', 'Params', 'conv_macs', 'conv_size', 'count_ops', 'count_params']
