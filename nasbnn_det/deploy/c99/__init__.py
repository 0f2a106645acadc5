"""Packed networks as C99 source code that needs nothing else, for microcontrollers."""
from .export import export_c
from .targets import TARGETS, check_program

__all__ = ['TARGETS', 'check_program', 'export_c']
