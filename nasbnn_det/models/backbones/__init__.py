from .nasb_resnet import NASBResNet, NASBSearchResNet
from .nasbnn import NASBNN

__all__ = ['NASBNN', 'NASBResNet', 'NASBSearchResNet']
