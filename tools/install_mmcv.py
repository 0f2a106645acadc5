"""The wheel of onedl-mmcv, compiled once per machine, for tools/install.py.

Its package comes as source only and fits just the torch that it was compiled
against. So the compiled wheel is kept in the user's cache, under a key that
says what it fits.

Standard library only, and no syntax newer than Python 3.6.
"""

import json
import os
import platform
import re
import shutil
import sys
import tempfile
from pathlib import Path

import install_support as support
from install_support import InstallError, ask, run_step

ROOT = Path(__file__).resolve().parent.parent
# Minutes that compiling onedl-mmcv takes on one core.
COMPILE_MINUTES = 24
ASK_TORCH = '''
import json, torch
cuda = torch.version.cuda if torch.cuda.is_available() else None
sm = 'sm%d%d' % torch.cuda.get_device_capability() if cuda else None
print(json.dumps([torch.__version__.split('+')[0], cuda, sm]))
'''


def pinned(package):
    """Return the exact version that the requirement files name."""
    for name in ('constraints', 'mminstall'):
        text = (ROOT / 'requirements' / f'{name}.txt').read_text()
        found = re.search(rf'^{package}==(\S+)', text, re.M)
        if found:
            return found.group(1)
    raise InstallError(f'the requirement files pin no version of {package}')


def cache_root():
    """Return this user's cache folder of the project."""
    base = os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache'
    return Path(base) / 'nasbnn_det'


def wheel_key(torch_version, mmcv_version, device):
    """Return the name of what a compiled onedl-mmcv fits.

    Args:
        torch_version (str): PyTorch's version without local part.
        mmcv_version (str): Version of onedl-mmcv.
        device (str): ``cpu``, or ``cuda`` with its version and architecture;
            ``*`` for any.
    """
    python = 'cp{}{}-{}'.format(*sys.version_info[:2], platform.machine())
    return f'{python}-torch{torch_version}-mmcv{mmcv_version}-{device}'


def cached_wheel(key):
    """Return the compiled wheel, or None. The key may have wildcards."""
    found = (cache_root() / 'wheels').glob(f'{key}/onedl_mmcv-*.whl')
    return next(found, None)


def ask_torch(python):
    """Return version and device (as in ``wheel_key``) of the torch there."""
    good, output = ask([python, '-c', ASK_TORCH], timeout=300)
    if not good:
        raise InstallError('the installed torch cannot be imported: '
                           + support.last_line(output))
    version, cuda, architecture = json.loads(output.splitlines()[-1])
    # PyTorch compiles only with the CUDA release that it was made with.
    nvcc = ask(['nvcc', '--version'])[1] if cuda else ''
    if cuda and f'release {cuda.split(".")[0]}.' in nvcc:
        return version, f'cuda{cuda}-{architecture}'
    return version, 'cpu'


def compile_environment(venv, device, folder, jobs):
    """Return the environment variables under which onedl-mmcv compiles."""
    env = dict(os.environ, MMCV_WITH_OPS='1', MAX_JOBS=str(jobs),
               TMPDIR=str(folder), CXX=support.find_compiler(os.environ))
    env['PATH'] = f'{venv / "bin"}{os.pathsep}{env.get("PATH", "")}'
    if device == 'cpu':
        # It would insist on CUDA wherever torch sees a GPU.
        env.update(CUDA_VISIBLE_DEVICES='', FORCE_CUDA='0')
    return env


def compile_jobs():
    """Return how many compilers may run at once: each takes up to 2 GiB."""
    cores = os.cpu_count() or 1
    if hasattr(os, 'sched_getaffinity'):
        cores = len(os.sched_getaffinity(0))
    memory = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES')
    return max(1, min(cores, memory // (2 * support.GIB)))


def compile_wheel(venv, torch_version, device):
    """Compile onedl-mmcv into the cache and return the wheel."""
    version, jobs = pinned('onedl-mmcv'), compile_jobs()
    home = cache_root() / 'wheels' / wheel_key(torch_version, version, device)
    home.mkdir(parents=True, exist_ok=True)
    for left in home.glob('build-*'):  # of a run that was killed
        shutil.rmtree(left)
    folder = Path(tempfile.mkdtemp(prefix='build-', dir=str(home)))
    minutes = max(1, round(COMPILE_MINUTES / jobs))
    try:
        # Not from pip's own cache: it does not know for which torch a wheel
        # was compiled.
        run_step(
            f'compiling onedl-mmcv {version} against torch {torch_version}',
            [venv / 'bin' / 'python', '-m', 'pip', 'wheel', '-v',
             '--no-build-isolation', '--no-deps', '--no-cache-dir',
             '--no-binary', 'onedl-mmcv', '-w', folder / 'wheel',
             f'onedl-mmcv=={version}'],
            home / 'build.log',
            compile_environment(venv, device, folder, jobs),
            f' for {device}, once per machine: about {minutes} min on '
            f'{jobs} core{"s" if jobs > 1 else ""}')
        wheel = next((folder / 'wheel').glob('*.whl'))
        os.replace(str(wheel), str(home / wheel.name))
        return home / wheel.name
    finally:
        shutil.rmtree(str(folder), ignore_errors=True)
