"""The packed runtime: 1-bit weights, xor and popcount. Imports torch, numpy and ``binary``."""
from .chain import PackedChain
from .detector import PackedDetector
from .file import PackedFile, load_packed, save_packed
from .layer import PackedLayer
from .native import PATH_VARIABLE, available_paths, current_path
from .pack import pack
from .rtmdet import Detections
from .spec import LayerSpec

__all__ = [
    'Detections', 'LayerSpec', 'PATH_VARIABLE', 'PackedChain', 'PackedDetector', 'PackedFile', 'PackedLayer',
    'available_paths', 'current_path', 'load_packed', 'pack', 'save_packed'
]
