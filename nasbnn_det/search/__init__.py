"""Evolution over a search space, given a score."""
from .evolution import Evolution, EvolutionConfig
from .sampling import InfeasibleWindowError, OpsWindow, crossover, mutate, sample_in_window

__all__ = [
    'Evolution', 'EvolutionConfig', 'InfeasibleWindowError', 'OpsWindow', 'crossover', 'mutate', 'sample_in_window'
]
