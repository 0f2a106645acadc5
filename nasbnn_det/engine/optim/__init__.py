"""Constructors of optimisers."""
from .nasb import NASBOptimWrapperConstructor

__all__ = ['NASBOptimWrapperConstructor']
