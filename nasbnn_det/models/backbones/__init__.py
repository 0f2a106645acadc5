from .nasbnn import NASBNN

__all__ = ['NASBNN']
