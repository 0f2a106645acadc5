"""Binary (1-bit) object detectors for MMDetection, found by architecture search.

The core (``binary``, ``arch``, ``supernet``, the evolution in ``search``) needs torch, numpy and safetensors.
Where MMEngine is installed, importing this package also makes the names ``nasbnn_det.X`` known to
MMEngine's registries, so that ``custom_imports = dict(imports=['nasbnn_det'])`` is all a config needs.
"""
import warnings

from .nameless_user import choose_cache_folder
from .version import __version__

choose_cache_folder()
try:
    import mmengine  # noqa: F401
except Exception as error:  # where it is there and fails, as without a home folder, the packed runtime still works
    if not isinstance(error, ModuleNotFoundError) or error.name != 'mmengine':
        warnings.warn(f"MMEngine can't be imported, so configs don't find the names of nasbnn_det: {error}", stacklevel=2)
else:
    from . import registry  # noqa: F401

__all__ = ['__version__']
