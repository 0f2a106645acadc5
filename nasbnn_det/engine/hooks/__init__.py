"""MMEngine hooks."""
from .check_detector import CheckDetectorHook

__all__ = ['CheckDetectorHook']
