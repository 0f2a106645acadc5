from .binary_rtmdet_head import BinaryRTMDetHead

__all__ = ['BinaryRTMDetHead']
