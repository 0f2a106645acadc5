"""Binary (1-bit) object detectors for MMDetection, found by architecture search.

The core (``binary``, ``arch``, ``supernet``, the evolution in ``search``) needs torch, numpy and safetensors; a packed
detector (``runtime``) numpy alone. Where MMEngine is imported, before this package or after it, its registries know the
names ``nasbnn_det.X``, so that ``custom_imports = dict(imports=['nasbnn_det'])`` is all a config needs.
"""
from .nameless_user import choose_cache_folder
from .registration import register
from .version import __version__

choose_cache_folder()
register()

__all__ = ['__version__']
