"""Distributed runs: on machines without a GPU, and how all of them end."""
import gc
from typing import Any

import torch
import torch.distributed as dist


def start_processes(cfg: Any) -> None:
    """Joins the processes that torchrun started, over gloo, on a machine without a GPU.

    MMEngine's launchers and its wrapper of the model ask for a GPU. Where there is one, or the launcher is another, this
    does nothing and MMEngine does the work.

    Args:
        cfg (mmengine.config.Config): With the ``launcher`` that was given to the tool: 'none', 'pytorch', 'slurm' or
            'mpi'. Its ``model_wrapper_cfg`` becomes one for a CPU, unless it names a wrapper that is none of MMEngine's.
    """
    if cfg.get('launcher') != 'pytorch' or torch.cuda.is_available():
        return
    if not dist.is_initialized():
        dist.init_process_group('gloo')
    # The runner's own choice of settings where the config has none.
    wrapper = cfg.get('model_wrapper_cfg') or dict(
        broadcast_buffers=False, find_unused_parameters=cfg.get('find_unused_parameters', False))
    if wrapper.get('type') in (None, 'MMDistributedDataParallel'):
        cfg.model_wrapper_cfg = dict(wrapper, type='nasbnn_det.DistributedDataParallel')


def end_processes() -> None:
    """Leaves the group of processes, if there is one, once all of them have come so far.

    Threads of a group that still runs when the interpreter is taken down may abort the process, after all work is done.
    """
    if dist.is_available() and dist.is_initialized():
        dist.barrier()
        dist.destroy_process_group()
        gc.collect()  # models and loops in circles hold the groups too
