"""Optimisers: how their parameters are grouped, and mixed precision on a CPU."""
from .amp import CPUAmpOptimWrapper
from .binary import BinaryOptimWrapperConstructor, parameter_groups
from .nasb import NASBOptimWrapperConstructor

__all__ = ['BinaryOptimWrapperConstructor', 'CPUAmpOptimWrapper', 'NASBOptimWrapperConstructor', 'parameter_groups']
