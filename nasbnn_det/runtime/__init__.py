"""The packed runtime: 1-bit weights, xor and popcount. Packed detectors, classifiers and backbones need numpy alone; what is
made of PyTorch's modules imports it when it is asked for (PEP 562)."""
from importlib import import_module
from typing import Any

from ..native import ISA_VARIABLE, available_isas, current_isa, free_workspaces
from .backbone import PackedBackbone
from .classifier import Classification, PackedClassifier
from .detections import Detections
from .detector import PackedDetector

_WITH_TORCH = {
    'LayerSpec': 'spec', 'PackedChain': 'chain', 'PackedFile': 'file', 'PackedLayer': 'layer', 'load_packed': 'file',
    'pack': 'packer', 'save_packed': 'file'
}
__all__ = [
    'Classification', 'Detections', 'ISA_VARIABLE', 'PackedBackbone', 'PackedClassifier', 'PackedDetector', 'available_isas',
    'current_isa', 'free_workspaces', *_WITH_TORCH
]


def __getattr__(name: str) -> Any:
    if name not in _WITH_TORCH:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return getattr(import_module(f'{__name__}.{_WITH_TORCH[name]}'), name)
