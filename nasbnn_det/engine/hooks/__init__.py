"""MMEngine hooks."""
from .binarization_progress import BinarizationProgressHook
from .check_detector import CheckDetectorHook

__all__ = ['BinarizationProgressHook', 'CheckDetectorHook']
