"""A few functions for people who write Python rather than configs."""
from ..runtime import PackedDetector
from .checkpoint import check_checkpoint
from .cli import run_tool
from .from_twin import start_from_twin
from .launch import start_processes
from .release import import_release

__all__ = [
    'PackedDetector', 'check_checkpoint', 'import_release', 'run_tool', 'start_from_twin', 'start_processes'
]
