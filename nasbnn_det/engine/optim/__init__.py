"""Constructors of optimisers."""
from .binary import BinaryOptimWrapperConstructor, parameter_groups
from .nasb import NASBOptimWrapperConstructor

__all__ = ['BinaryOptimWrapperConstructor', 'NASBOptimWrapperConstructor', 'parameter_groups']
