from .binary_pafpn import BinaryPAFPN

__all__ = ['BinaryPAFPN']
