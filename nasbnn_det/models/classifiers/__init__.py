from .supernet_classifier import SupernetClassifier
from .supernet_parallel import SupernetDistributedDataParallel

__all__ = ['SupernetClassifier', 'SupernetDistributedDataParallel']
