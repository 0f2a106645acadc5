"""Distributed runs on machines without a GPU."""
import torch
import torch.distributed as dist


def start_processes(launcher: str) -> None:
    """Joins the processes that torchrun started, over gloo, on a machine without a GPU.

    MMEngine's launchers ask for a GPU. Where there is one, or the launcher is another, this does nothing and MMEngine
    does the work.

    Args:
        launcher (str): As given to the tools: 'none', 'pytorch', 'slurm' or 'mpi'.
    """
    if launcher == 'pytorch' and not torch.cuda.is_available() and not dist.is_initialized():
        dist.init_process_group('gloo')
