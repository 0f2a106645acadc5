"""A few functions for people who write Python rather than configs."""
from .checkpoint import check_checkpoint
from .cli import run_tool

__all__ = ['check_checkpoint', 'run_tool']
