"""What an architecture is: search spaces, architectures, fronts. Imports nothing heavy."""
from .arch import Arch, Block
from .front import Front, FrontEntry, arch_channels, load_arch, pareto_optimal
from .space import SearchSpace, StageSpec
from .spaces import SPACES, get_space, read_space

__all__ = [
    'Arch', 'Block', 'Front', 'FrontEntry', 'SPACES', 'SearchSpace', 'StageSpec', 'arch_channels', 'get_space',
    'load_arch', 'pareto_optimal', 'read_space'
]
