"""Binary (1-bit) object detectors for MMDetection, found by architecture search.

The core (``binary``, ``arch``, ``supernet``, the evolution in ``search``) needs torch and numpy alone.
Where MMEngine is installed, importing this package also makes the names ``nasbnn_det.X`` known to
MMEngine's registries, so that ``custom_imports = dict(imports=['nasbnn_det'])`` is all a config needs.
"""
import importlib.util

from .version import __version__

if importlib.util.find_spec('mmengine') is not None:
    from . import registry  # noqa: F401

__all__ = ['__version__']
