from .binary_fcos_head import BinaryFCOSHead
from .binary_retina_head import BinaryRetinaHead
from .binary_rpn_head import BinaryRPNHead
from .binary_rtmdet_head import BinaryRTMDetHead
from .binary_ssd_head import BinarySSDHead

__all__ = ['BinaryFCOSHead', 'BinaryRetinaHead', 'BinaryRPNHead', 'BinaryRTMDetHead', 'BinarySSDHead']
