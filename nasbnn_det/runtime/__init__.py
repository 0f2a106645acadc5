"""The packed runtime: 1-bit weights, xor and popcount. Imports torch, numpy, ``native`` and ``binary``."""
from ..native import ISA_VARIABLE, available_isas, current_isa, free_workspaces
from .chain import PackedChain
from .detector import PackedDetector
from .file import PackedFile, load_packed, save_packed
from .layer import PackedLayer
from .pack import pack
from .rtmdet import Detections
from .spec import LayerSpec

__all__ = [
    'Detections', 'ISA_VARIABLE', 'LayerSpec', 'PackedChain', 'PackedDetector', 'PackedFile', 'PackedLayer',
    'available_isas', 'current_isa', 'free_workspaces', 'load_packed', 'pack', 'save_packed'
]
