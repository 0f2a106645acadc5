"""The compiled library: its C++ sources, compiling and finding it, the choice of the instruction set, training's kernels."""
from .library import (
    ISA_VARIABLE,
    REFERENCE,
    available_isas,
    current_isa,
    free_workspaces,
    load_library,
    need_library,
    peak_rate,
    using_isa,
)

__all__ = [
    'ISA_VARIABLE', 'REFERENCE', 'available_isas', 'current_isa', 'free_workspaces', 'load_library', 'need_library',
    'peak_rate', 'using_isa'
]
