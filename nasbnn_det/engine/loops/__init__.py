"""Loops that MMEngine's Runner runs."""
from .evolution_search import EvolutionSearchLoop, SupernetValLoop
from .nasb_search import NASBSearchLoop

__all__ = ['EvolutionSearchLoop', 'NASBSearchLoop', 'SupernetValLoop']
