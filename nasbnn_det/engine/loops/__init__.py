"""Loops that MMEngine's Runner runs."""
from .evolution_search import EvolutionSearchLoop
from .nasb_search import NASBSearchLoop
from .supernet_val import SupernetValLoop

__all__ = ['EvolutionSearchLoop', 'NASBSearchLoop', 'SupernetValLoop']
