"""Takes over the files of NAS-BNN's public release: its supernet checkpoint and its search result."""
from .checkpoint import ReleasedSupernet, load_released_supernet
from .info import load_released_front

__all__ = ['ReleasedSupernet', 'load_released_front', 'load_released_supernet']
