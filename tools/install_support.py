"""Checks, sub-commands, stamp and lock of tools/install.py.

Standard library only, and no syntax newer than Python 3.6: an interpreter
that is too old must get far enough to be told so.
"""

import contextlib
import hashlib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time

LOWEST, HIGHEST = (3, 10), (3, 12)
STAMP = 'nasbnn_det_install.json'
GIB = 1024**3


class InstallError(Exception):
    """What went wrong and what would be right, in one line."""


# --------------------------------------------------------------- checks


def check_python(version):
    """Refuse a Python that the packages are not made for.

    Args:
        version (tuple): At least major and minor number.
    """
    if not LOWEST <= tuple(version[:2]) <= HIGHEST:
        raise InstallError(
            'this is Python {}.{}, but 3.10, 3.11 or 3.12 is needed: choose '
            'one with "make PYTHON=python3.11 install"'.format(*version[:2]))


def check_modules(names):
    """Refuse a Python that some distributions ship without these modules."""
    from importlib.util import find_spec
    for name in names:
        if find_spec(name) is None:
            raise InstallError(
                f'this Python ({sys.executable}) has no module {name}: '
                'install it (on Debian or Ubuntu: the package python3-venv) '
                'or choose another Python with "make PYTHON=..."')


def find_compiler(environ):
    """Return the C++ compiler's command, ``$CXX`` first, or raise."""
    path = environ.get('PATH', '')
    if environ.get('CXX'):
        command = shlex.split(environ['CXX'])[0]
        if not shutil.which(command, path=path):
            raise InstallError(
                f'no C++ compiler: CXX names {command}, which is not there; '
                'let it name one, or unset it to have c++, g++ or clang++ '
                'found')
        return environ['CXX']
    for command in ('c++', 'g++', 'clang++'):
        if shutil.which(command, path=path):
            return command
    raise InstallError(
        'no C++ compiler, which onedl-mmcv needs: install g++ or clang++ '
        '(on Debian or Ubuntu: the package g++), or let CXX name one')


def check_disk(folder, needed):
    """Refuse to start where the files will not fit.

    Args:
        folder (Path): Need not exist yet.
        needed (float): Free space in GiB.
    """
    folder = folder.resolve()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(str(folder)).free / GIB
    if free < needed:
        raise InstallError(f'too little disk space in {folder}: '
                           f'{free:.1f} GB free, {needed:g} GB needed')


# --------------------------------------------------------- sub-commands


def duration(seconds):
    """Return a time as people say it: ``12 s`` or ``3 min 20 s``."""
    minutes, seconds = divmod(round(seconds), 60)
    return f'{minutes} min {seconds} s' if minutes else f'{seconds} s'


def last_line(text):
    """Return the line of a log that says best what went wrong.

    Compilers and installers close with general remarks, so the last line
    with an error of its own is preferred to the very last one.
    """
    lines = [' '.join(line.split()) for line in text.splitlines()]
    lines = [line for line in lines if line and not re.match(
        r'(note|hint|warning|\[notice\]|\[end of output\])', line, re.I)]
    for pattern in (r'[:\d] (fatal )?error: ', r'no space left|killed',
                    r'\berror\b'):
        found = [line for line in lines if re.search(pattern, line, re.I)]
        if found:
            # Without the compiler's long paths.
            return re.sub(r'^\S*/(?=\S+:\d)', '', found[-1])[:300]
    return lines[-1][:300] if lines else 'it said nothing'


def stop(process):
    """End a sub-command and all that it started."""
    for number, patience in ((signal.SIGTERM, 5), (signal.SIGKILL, None)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=patience)


def wait(process, started):
    """Wait for a sub-command; say every minute that it still runs."""
    beats = 0
    while True:
        try:
            left = started + 60 * (beats + 1) - time.monotonic()
            return process.wait(timeout=max(left, 0.1)), beats
        except subprocess.TimeoutExpired:
            beats += 1
            print(f'\n  still running after {beats} min', end='', flush=True)


def run_step(title, command, log, env=None, remark=''):
    """Run a sub-command as one line on the terminal.

    Args:
        title (str): What is being done.
        command (list): Program and arguments.
        log (Path): Where its output goes.
        env (dict): Its environment. Default: None, this process's.
        remark (str): What the terminal shows after the title. Default: ''.
    """
    print(f'{title}{remark} ...', end='', flush=True)
    started = time.monotonic()
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(str(log), 'w') as output:
        # A session of its own, so that an interruption can end the whole
        # tree of compilers and not only the program on top of it.
        process = subprocess.Popen(
            [str(part) for part in command], stdin=subprocess.DEVNULL,
            stdout=output, stderr=subprocess.STDOUT, env=env,
            start_new_session=True)
        try:
            status, beats = wait(process, started)
        except BaseException:
            print(flush=True)
            stop(process)
            raise
    if status:
        print(' failed', flush=True)
        reason = last_line(log.read_text(errors='replace'))
        raise InstallError(f'"{title}" failed; its log is {log}; {reason}')
    print('\n  done in' if beats else '', duration(time.monotonic() - started),
          flush=True)


def ask(command, timeout=60, env=None):
    """Run a quick sub-command.

    Returns:
        tuple: Whether it succeeded, and its output.
    """
    process = None
    try:
        process = subprocess.Popen(
            [str(part) for part in command], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env,
            universal_newlines=True, start_new_session=True)
        output = process.communicate(timeout=timeout)[0]
        return process.returncode == 0, output.strip()
    except subprocess.TimeoutExpired:
        stop(process)
        return False, f'no answer within {timeout} s'
    except OSError as error:
        return False, str(error)
    except BaseException:
        if process is not None:
            stop(process)
        raise


# ------------------------------------------------------- stamp and lock


def fingerprint(root, names, *more):
    """Return a hash of what an environment is made from.

    Args:
        root (Path): The project.
        names (list): Files in it.
        more (str): Anything else that matters.
    """
    digest = hashlib.sha256()
    for part in more:
        digest.update(f'{part}\n'.encode())
    for name in names:
        digest.update(f'{name}\n'.encode())
        digest.update((root / name).read_bytes())
    return digest.hexdigest()


def read_stamp(venv):
    """Return what is installed: fingerprints by part, maybe none."""
    try:
        stamp = json.loads((venv / STAMP).read_text())
    except (OSError, ValueError):
        return {}
    usable = isinstance(stamp, dict) and (venv / 'bin' / 'python').exists()
    return stamp if usable else {}


def write_stamp(venv, stamp):
    """Keep what is installed."""
    text = json.dumps(stamp, indent=2, sort_keys=True) + '\n'
    temporary = venv / (STAMP + '.new')
    temporary.write_text(text)
    os.replace(str(temporary), str(venv / STAMP))


@contextlib.contextmanager
def lock(path):
    """Let only one installation of a user work at a time."""
    import fcntl
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = open(str(path), 'w')
    except OSError as error:
        raise InstallError(f'the cache {path.parent} cannot be written '
                           f'({error.strerror}): let XDG_CACHE_HOME name '
                           'another folder')
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print('another installation is running: waiting for its end',
                  flush=True)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def catch_signals():
    """Turn SIGINT and SIGTERM into KeyboardInterrupt.

    Python does the first by itself, but not where a shell started this in
    the background.
    """

    def interrupt(number, frame):
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
