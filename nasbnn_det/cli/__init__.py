"""What the command line tools share."""
from .config import add_config_options, choose_work_dir, read_config
from .launch import start_processes
from .run import run_tool

__all__ = ['add_config_options', 'choose_work_dir', 'read_config', 'run_tool', 'start_processes']
