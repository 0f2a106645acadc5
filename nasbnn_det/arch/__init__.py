"""What an architecture is: search spaces, architectures, operations. Imports nothing heavy."""
from .arch import Arch, Block
from .front import Front, FrontEntry, arch_channels, load_arch
from .ops import Ops, conv_macs, conv_size, count_ops
from .space import SearchSpace, StageSpec
from .spaces import SPACES, get_space, read_space

__all__ = [
    'Arch', 'Block', 'Front', 'FrontEntry', 'Ops', 'SPACES', 'SearchSpace', 'StageSpec', 'arch_channels',
    'conv_macs', 'conv_size', 'count_ops', 'get_space', 'load_arch', 'read_space'
]
