from .subnet_cls_head import SubnetClsHead

__all__ = ['SubnetClsHead']
