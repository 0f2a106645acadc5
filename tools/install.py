"""Make .venv with everything the project needs; a second run does nothing.

Run it by ``make install``. The environment variables CXX (the C++ compiler),
XDG_CACHE_HOME (where the compiled onedl-mmcv is kept) and
NASBNN_DET_INSTALLER (``pip`` to do without uv) are honoured.

Standard library only, and no syntax newer than Python 3.6: an interpreter
that is too old must get far enough to be told so.
"""

import argparse
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

import install_mmcv
import install_support as support
from install_mmcv import pinned, wheel_key
from install_support import InstallError, ask, run_step

ROOT = Path(__file__).resolve().parent.parent
BASE_FILES = ['setup.py'] + [f'requirements/{name}.txt' for name in (
    'runtime', 'build', 'mmruntime', 'mminstall', 'constraints')]
TEST_FILES = ['requirements/tests.txt', 'requirements/constraints.txt']
CONSTRAINTS = ['-c', ROOT / 'requirements' / 'constraints.txt']
# GiB in the project's folder: PyTorch's packages are 5 of them, and take
# more while they are unpacked.
SPACE_FIRST, SPACE_LATER = 8, 2
IMPORTS = 'mmengine, mmcv.ops, mmdet.apis, mmdet.models, mmpretrain.apis'


def check_before(venv, parts):
    """Find what would fail later, before minutes are spent.

    Args:
        venv (Path): The environment, if there is one.
        parts (list): What is to be installed: ``base``, ``tests``.
    """
    if (venv.exists() and any(venv.iterdir())
            and not (venv / 'pyvenv.cfg').exists()):
        raise InstallError(f'{venv} exists and is no virtual environment: '
                           'move it away, or choose another with --venv')
    if not (venv / 'bin' / 'python').exists():
        support.check_modules(['venv', 'ensurepip'])
    key = wheel_key(pinned('torch'), pinned('onedl-mmcv'), '*')
    if 'base' in parts and not install_mmcv.cached_wheel(key):
        support.find_compiler(os.environ)
    has_torch = any(venv.glob('lib/python*/site-packages/torch'))
    support.check_disk(venv, SPACE_LATER if has_torch else SPACE_FIRST)


def ensure_venv(venv):
    """Make the environment, unless it is there and of this Python.

    Returns:
        bool: Whether it was made.
    """
    config, python = venv / 'pyvenv.cfg', venv / 'bin' / 'python'
    options = []
    if config.exists():
        found = re.search(r'^version(?:_info)? *= *(\d+)\.(\d+)',
                          config.read_text(), re.M)
        same = found and found.groups() == tuple(
            str(number) for number in sys.version_info[:2])
        # uv makes environments without pip.
        if same and any(ask([python, '-m', *module])[0] for module in (
                ('pip', '--version'), ('ensurepip', ))):
            return False
        options = ['--clear']
        print(f'{venv} is broken or of another Python: making it anew')
    good, output = ask([sys.executable, '-m', 'venv', *options, venv], 300)
    if not good:
        raise InstallError(f'the virtual environment {venv} cannot be made: '
                           + support.last_line(output))
    return True


def refusal(command):
    """Return why a command that asks the package index fails, or None."""
    env = dict(os.environ, UV_HTTP_TIMEOUT='15', UV_HTTP_RETRIES='1',
               PIP_DEFAULT_TIMEOUT='15', PIP_RETRIES='1')
    good, output = ask([*command, '--no-deps', 'wheel'], env=env)
    if good:
        return None
    # pip's errors only say that it found nothing; the cause is a warning.
    cause = re.search(r'(?<=\[Errno )-?\d+\] [\w ]+|timed out|'
                      r'certificate verify failed|\b[45]\d\d [A-Z]\w+',
                      output)
    if cause:
        return cause.group().split('] ')[-1]
    return support.last_line(output)


def find_uv(venv):
    """Return uv's command if it is there and reaches the package index."""
    for command in (shutil.which('uv'), venv / 'bin' / 'uv'):
        if command and ask([command, '--version'])[0]:
            uv = [command, 'pip', 'install', '--python',
                  venv / 'bin' / 'python']
            if not refusal([*uv, '--dry-run', '--reinstall', '--refresh']):
                return uv
    return None


def choose_installer(venv):
    """Return the command that installs: uv's, which is fast, or pip's.

    Each is asked whether it reaches the package index, for the two are
    configured apart; uv is fetched by pip where it is not to be had.
    """
    wants_uv = os.environ.get('NASBNN_DET_INSTALLER') != 'pip'
    uv = find_uv(venv) if wants_uv else None
    if uv:
        return uv
    pip = [venv / 'bin' / 'python', '-m', 'pip']
    with tempfile.TemporaryDirectory() as folder:
        reason = refusal([*pip, 'download', '--no-cache-dir', '-d', folder])
    if reason:
        raise InstallError(f'the package index cannot be reached ({reason}): '
                           'check the network and the settings of pip or uv')
    pip.append('install')
    if wants_uv and ask([*pip, 'uv'], timeout=300)[0]:
        uv = find_uv(venv)
    return uv or pip


def install_base(venv, installer):
    """Install everything but what only the tests need."""
    python, logs = venv / 'bin' / 'python', venv / 'install-logs'
    files = {name: ['-r', ROOT / 'requirements' / f'{name}.txt']
             for name in ('runtime', 'build', 'mmruntime', 'mminstall')}

    def step(title, name, *arguments):
        run_step(title, [*installer, *arguments], logs / f'{name}.log')

    torch, torchvision = pinned('torch'), pinned('torchvision')
    step(f'torch {torch}, torchvision {torchvision}', 'torch', *CONSTRAINTS,
         *files['runtime'], 'torchvision', *files['build'])
    torch_version, device = install_mmcv.ask_torch(python)
    version = pinned('onedl-mmcv')
    wheel = install_mmcv.cached_wheel(
        wheel_key(torch_version, version, device))
    if wheel is None:
        wheel = install_mmcv.compile_wheel(venv, torch_version, device)
    # The version alone does not say for which torch the old one was compiled.
    step(f'onedl-mmcv {version} from the cache', 'mmcv', '--no-deps',
         '--force-reinstall', wheel)
    step('what the OpenMMLab packages need', 'mmruntime', *CONSTRAINTS,
         *files['mmruntime'])
    step('onedl-mmengine, -mmdetection, -mmpretrain, imaug', 'mminstall',
         '--no-deps', *files['mminstall'])
    step('nasbnn_det itself, editable', 'project', '--no-deps',
         '--no-build-isolation', '-e', ROOT)
    run_step('checking that all of it can be imported',
             [python, '-c', f'import {IMPORTS}'], logs / 'imports.log')


def install_tests(venv, installer):
    """Install what only the tests need."""
    run_step('what the tests need',
             [*installer, *CONSTRAINTS, '-r', ROOT / TEST_FILES[0]],
             venv / 'install-logs' / 'tests.log')


def wanted_stamp(with_tests):
    """Return the stamp of a complete environment."""
    python = '{}.{}'.format(*sys.version_info[:2])
    base = support.fingerprint(ROOT, BASE_FILES, python, ROOT)
    stamp = {'base': base}
    if with_tests:
        stamp['tests'] = support.fingerprint(ROOT, TEST_FILES, base)
    return stamp


def missing_parts(venv, wanted):
    """Return the names of the parts that are not installed as wanted."""
    stamp = support.read_stamp(venv)
    return [part for part in wanted if stamp.get(part) != wanted[part]]


def install(venv, wanted):
    """Install the missing parts; the caller holds the lock."""
    parts = missing_parts(venv, wanted)
    if not parts:
        return  # whoever held the lock before has done it
    check_before(venv, parts)
    made = ensure_venv(venv)
    try:
        installer = choose_installer(venv)
    except BaseException:
        if made:
            shutil.rmtree(str(venv))
        raise
    print(f'installing into {venv} with',
          'uv' if '--python' in installer else 'pip', flush=True)
    for part in missing_parts(venv, wanted):
        stamp = support.read_stamp(venv)
        stamp.pop(part, None)  # until it is whole again
        support.write_stamp(venv, stamp)
        {'base': install_base, 'tests': install_tests}[part](venv, installer)
        support.write_stamp(venv, dict(stamp, **{part: wanted[part]}))


def main():
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--venv', type=Path, default=ROOT / '.venv',
                        help='the environment (default: .venv)')
    parser.add_argument('--tests', action='store_true',
                        help='also install what the tests need')
    options = parser.parse_args()
    venv = Path(os.path.abspath(str(options.venv)))
    support.catch_signals()
    try:
        support.check_python(sys.version_info)
        wanted = wanted_stamp(options.tests)
        if missing_parts(venv, wanted):
            with support.lock(install_mmcv.cache_root() / 'install.lock'):
                install(venv, wanted)
            print(f'ready: {venv}')
        else:
            print(f'{venv} is up to date: nothing to do')
    except (InstallError, OSError) as error:
        print(f'install: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('install: interrupted; run it again to go on', file=sys.stderr)
        return 130
    return 0


if __name__ == '__main__':
    sys.exit(main())
