"""A few functions for people who write Python rather than configs."""
from importlib import import_module
from typing import Any

# Imported when they are asked for (PEP 562): packed networks need nothing of what the others need, MMEngine least of all.
_HOMES = {
    'PackedBackbone': 'nasbnn_det.runtime',
    'PackedClassifier': 'nasbnn_det.runtime',
    'PackedDetector': 'nasbnn_det.runtime',
    'check_checkpoint': 'nasbnn_det.models.checkpoint',
    'describe': 'nasbnn_det.pretrained',
    'import_release': 'nasbnn_det.apis.release',
    'list_models': 'nasbnn_det.pretrained',
    'start_from_twin': 'nasbnn_det.apis.from_twin',
}
__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return getattr(import_module(_HOMES[name]), name)
