"""What the command line tools share."""
from .amp import enable_amp
from .config import add_config_options, choose_work_dir, read_config, shipped_config
from .launch import end_processes, start_processes
from .memory import keep_memory
from .run import run_tool
from .shape import SHAPE_HELP, choose_shape, file_info

__all__ = [
    'SHAPE_HELP', 'add_config_options', 'choose_shape', 'choose_work_dir', 'enable_amp', 'end_processes', 'file_info',
    'keep_memory', 'read_config', 'run_tool', 'shipped_config',
    'start_processes'
]
