from .distilled import DistilledSingleStageDetector
from .fitted import BinaryFasterRCNN, BinaryFCOS, BinaryRetinaNet, BinaryRTMDet, BinarySSD

__all__ = [
    'BinaryFCOS', 'BinaryFasterRCNN', 'BinaryRTMDet', 'BinaryRetinaNet', 'BinarySSD', 'DistilledSingleStageDetector'
]
