from .binary_bbox_head import BinaryBBoxHead

__all__ = ['BinaryBBoxHead']
