"""What the command line tools share."""
from .launch import start_processes
from .run import run_tool

__all__ = ['run_tool', 'start_processes']
