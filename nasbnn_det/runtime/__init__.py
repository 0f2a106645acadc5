"""The packed runtime: 1-bit weights, xor and popcount. Imports torch, numpy and ``binary``."""
from .chain import PackedChain
from .layer import PackedLayer
from .native import PATH_VARIABLE, available_paths, current_path
from .pack import pack
from .spec import LayerSpec

__all__ = ['LayerSpec', 'PATH_VARIABLE', 'PackedChain', 'PackedLayer', 'available_paths', 'current_path', 'pack']
