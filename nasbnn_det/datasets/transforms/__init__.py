"""Transforms of data pipelines."""
from .loading import LoadImage

__all__ = ['LoadImage']
