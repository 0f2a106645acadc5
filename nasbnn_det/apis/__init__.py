"""A few functions for people who write Python rather than configs."""
from ..runtime import PackedDetector
from .checkpoint import check_checkpoint
from .from_twin import start_from_twin
from .release import import_release

__all__ = [
    'PackedDetector', 'check_checkpoint', 'import_release', 'start_from_twin'
]
