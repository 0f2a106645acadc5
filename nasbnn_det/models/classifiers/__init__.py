from .binary_classifier import BinaryClassifier
from .supernet_classifier import SupernetClassifier
from .supernet_parallel import SupernetDistributedDataParallel

__all__ = ['BinaryClassifier', 'SupernetClassifier', 'SupernetDistributedDataParallel']
