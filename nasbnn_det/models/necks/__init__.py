from .binary_fpn import BinaryFPN
from .binary_pafpn import BinaryPAFPN
from .binary_ssd_neck import BinarySSDNeck

__all__ = ['BinaryFPN', 'BinaryPAFPN', 'BinarySSDNeck']
