"""Runs a command line tool inside the tests' own process, which has imported everything already."""
import contextlib
import io
import logging
import multiprocessing
import os
import random
import runpy
import subprocess
import sys
import traceback
import warnings
from pathlib import Path
from typing import Iterator
from unittest import mock

ROOT = Path(__file__).resolve().parent.parent


def run_tool(path, *args, cwd=ROOT) -> subprocess.CompletedProcess:
    """Does what ``python PATH ARGS`` does, without the seconds that a new process takes to import torch and MMDetection.

    The file runs as ``__main__``, with its own command line. What it changes in the process (random numbers, loggers and
    scopes of MMEngine, working directory, environment, settings of torch) is put back afterwards. Modules that it
    imported stay.

    Args:
        path (str or Path): The tool, relative to ``cwd`` or absolute.
        *args: Its arguments.
        cwd (Path): The folder to run it in.

    Returns:
        subprocess.CompletedProcess: returncode, stdout and stderr, as of a process.
    """
    command = [str(Path(cwd, path)), *map(str, args)]
    out, err = io.StringIO(), io.StringIO()
    with _state_put_back(), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        os.chdir(cwd)
        sys.argv = command
        sys.path.insert(0, str(Path(command[0]).parent))
        code = _exit_status(command[0])
    return subprocess.CompletedProcess(command, code, out.getvalue(), err.getvalue())


def _exit_status(path: str) -> int:
    """Runs the file; what the interpreter would end with."""
    try:
        runpy.run_path(path, run_name='__main__')
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
            return 1
        return end.code or 0
    except Exception:
        traceback.print_exc()
        return 1
    return 0


@contextlib.contextmanager
def _state_put_back() -> Iterator[None]:
    """Puts back what tools, MMEngine's Runner above all, change in a process."""
    import numpy as np
    import torch
    python, numpy, threads, folder = random.getstate(), np.random.get_state(), torch.get_num_threads(), os.getcwd()
    start, benchmark = multiprocessing.get_start_method(allow_none=True), torch.backends.cudnn.benchmark
    deterministic, grad = torch.are_deterministic_algorithms_enabled(), torch.is_grad_enabled()
    with contextlib.ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        stack.enter_context(mock.patch.object(sys, 'argv', sys.argv))
        stack.enter_context(mock.patch.object(sys, 'path', list(sys.path)))
        stack.enter_context(mock.patch.dict(os.environ))
        stack.enter_context(torch.random.fork_rng())
        stack.enter_context(_no_instances())
        try:
            yield
        finally:
            os.chdir(folder)
            random.setstate(python)
            np.random.set_state(numpy)
            torch.set_num_threads(threads)
            torch.set_grad_enabled(grad)
            torch.use_deterministic_algorithms(deterministic)
            torch.backends.cudnn.benchmark = benchmark
            multiprocessing.set_start_method(start, force=True)


@contextlib.contextmanager
def _no_instances() -> Iterator[None]:
    """MMEngine's named instances (loggers, scopes, message hubs, visualizers): none inside, those of before afterwards."""
    from mmengine.utils import ManagerMixin

    def kinds(kind):
        return [kind, *(found for child in kind.__subclasses__() for found in kinds(child))]

    before = {kind: dict(kind._instance_dict) for kind in kinds(ManagerMixin)}
    for kind in before:
        kind._instance_dict.clear()
    try:
        yield
    finally:
        for kind in kinds(ManagerMixin):
            for instance in kind._instance_dict.values():
                for handler in getattr(instance, 'handlers', ()):
                    if isinstance(handler, logging.FileHandler):
                        handler.close()
            kind._instance_dict.clear()
            kind._instance_dict.update(before.get(kind, {}))
