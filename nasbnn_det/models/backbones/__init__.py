from .binary_resnet import BinaryResNet
from .nasb_resnet import NASBResNet, NASBSearchResNet
from .nasbnn import NASBNN
from .reactnet import ReActNet

__all__ = ['BinaryResNet', 'NASBNN', 'NASBResNet', 'NASBSearchResNet', 'ReActNet']
