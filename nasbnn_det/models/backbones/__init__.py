from .binary_resnet import BinaryResNet
from .nasbnn import NASBNN
from .reactnet import ReActNet

__all__ = ['BinaryResNet', 'NASBNN', 'ReActNet']
