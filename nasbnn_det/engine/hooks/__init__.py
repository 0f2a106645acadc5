"""MMEngine hooks."""
from .binarization_progress import BinarizationProgressHook
from .check_detector import CheckDetectorHook
from .growing_images import GrowingImagesHook

__all__ = ['BinarizationProgressHook', 'CheckDetectorHook', 'GrowingImagesHook']
