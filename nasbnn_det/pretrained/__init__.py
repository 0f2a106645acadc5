"""Weights that come with the package, by name: ``nasbnn_det://NAME`` for a checkpoint or an architecture."""
from .catalog import SCHEME, Entry, describe, list_models, locate

__all__ = ['SCHEME', 'Entry', 'describe', 'list_models', 'locate']
