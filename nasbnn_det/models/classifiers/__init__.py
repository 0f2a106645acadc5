from .binary_classifier import BinaryClassifier
from .supernet_classifier import SupernetClassifier

__all__ = ['BinaryClassifier', 'SupernetClassifier']
