from .distilled import DistilledSingleStageDetector

__all__ = ['DistilledSingleStageDetector']
