"""MMEngine hooks."""
from .binarization_progress import BinarizationProgressHook
from .check_detector import CheckDetectorHook
from .finite_loss import FiniteLossHook
from .growing_images import GrowingImagesHook
from .progressive_binarization import ProgressiveBinarizationHook
from .steady_timer import SteadyTimerHook

__all__ = [
    'BinarizationProgressHook', 'CheckDetectorHook', 'FiniteLossHook', 'GrowingImagesHook', 'ProgressiveBinarizationHook',
    'SteadyTimerHook'
]
