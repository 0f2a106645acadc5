"""tools/install.py: what it refuses, what it remembers, what it reuses.

Nothing here reaches the network: each run ends at a check, or has nothing to
do.
"""

import ast
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MODULES = ['install.py', 'install_mmcv.py', 'install_support.py']

sys.path.insert(0, str(ROOT / 'tools'))

import install  # noqa: E402
import install_mmcv  # noqa: E402
import install_support as support  # noqa: E402

needs_space = pytest.mark.skipif(
    shutil.disk_usage(ROOT).free / support.GIB < install.SPACE_FIRST,
    reason='too little disk space to get beyond that check')


class Project:
    """A copy of the files that an installation reads, and a bare machine.

    Its ``PATH`` is an empty folder, so there is no compiler and no uv, and
    its cache is empty; where a package index should be, nobody answers.
    """

    def __init__(self, folder):
        self.root = folder / 'project'
        self.venv = self.root / '.venv'
        self.cache = folder / 'cache'
        shutil.copytree(ROOT / 'requirements', self.root / 'requirements')
        shutil.copy(ROOT / 'setup.py', self.root)
        (self.root / 'tools').mkdir()
        for name in MODULES:
            shutil.copy(ROOT / 'tools' / name, self.root / 'tools')
        (folder / 'bin').mkdir()
        self.env = {'PATH': str(folder / 'bin'), 'HOME': str(folder),
                    'XDG_CACHE_HOME': str(self.cache),
                    'PIP_CONFIG_FILE': os.devnull,
                    'PIP_INDEX_URL': 'http://127.0.0.1:9/simple'}

    def start(self, *options, **env):
        """Start an installation."""
        return subprocess.Popen(
            [sys.executable, self.root / 'tools' / 'install.py', '--venv',
             self.venv, *options],
            env=dict(self.env, **env), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def run(self, *options, **env):
        """Run an installation; return its status, output and errors."""
        process = self.start(*options, **env)
        output, errors = process.communicate(timeout=60)
        return process.returncode, output, errors

    def refuses(self, *options, **env):
        """Assert that an installation fails in one line; return it."""
        status, _, errors = self.run(*options, **env)
        assert status == 1
        assert errors.startswith('install: ')
        assert errors.count('\n') == 1 and errors.endswith('\n')
        return errors

    def stamp(self, with_tests=False):
        """Make an empty environment and call it complete."""
        subprocess.run([sys.executable, '-m', 'venv', '--without-pip',
                        self.venv], check=True)
        code = ('import install, sys, pathlib; '
                'install.support.write_stamp(pathlib.Path(sys.argv[1]), '
                f'install.wanted_stamp({with_tests}))')
        subprocess.run([sys.executable, '-c', code, self.venv], check=True,
                       cwd=self.root / 'tools')

    def fill_cache(self):
        """Put a wheel into the cache; nothing here gets to install it."""
        key = install_mmcv.wheel_key(install_mmcv.pinned('torch'),
                                     install_mmcv.pinned('onedl-mmcv'), 'cpu')
        folder = self.cache / 'nasbnn_det' / 'wheels' / key
        folder.mkdir(parents=True)
        (folder / 'onedl_mmcv-0-py3-none-any.whl').touch()


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


# --------------------------------------------------------------- checks


@pytest.mark.parametrize('version', [(2, 7), (3, 6, 15), (3, 9), (3, 13, 1)])
def test_other_pythons_are_refused(version):
    with pytest.raises(support.InstallError) as error:
        support.check_python(version)
    assert '{}.{}'.format(*version) in str(error.value)
    assert '3.10, 3.11 or 3.12' in str(error.value)


@pytest.mark.parametrize('version', [(3, 10), (3, 11, 7), (3, 12, 0)])
def test_supported_pythons_are_accepted(version):
    support.check_python(version)


@pytest.mark.parametrize('name', MODULES)
def test_old_pythons_can_parse_it(name):
    text = (ROOT / 'tools' / name).read_text()
    ast.parse(text, feature_version=(3, 6))
    assert 'from __future__' not in text


def test_missing_compiler_is_found_first(project):
    started = time.monotonic()
    errors = project.refuses()
    assert time.monotonic() - started < 10
    assert 'no C++ compiler' in errors and 'CXX' in errors
    assert not project.venv.exists()
    assert not list(project.cache.rglob('*.whl'))


def test_missing_compiler_of_cxx_is_named(project):
    assert 'no-such-compiler' in project.refuses(CXX='no-such-compiler -O1')


def test_compiler_of_cxx_is_taken():
    environ = {'PATH': '', 'CXX': f'{sys.executable} -m compiler'}
    assert support.find_compiler(environ) == environ['CXX']


def test_cached_wheel_needs_no_compiler(project):
    project.fill_cache()
    project.venv.mkdir()
    (project.venv / 'thesis.txt').touch()
    # So it got as far as looking at the environment, and left it alone.
    assert 'is no virtual environment' in project.refuses()
    assert [path.name for path in project.venv.iterdir()] == ['thesis.txt']


def test_too_small_disk(tmp_path):
    support.check_disk(tmp_path / 'not' / 'yet', 0)
    with pytest.raises(support.InstallError, match='1e.09 GB needed'):
        support.check_disk(tmp_path / 'not' / 'yet', 1e9)


def test_missing_module_is_named():
    support.check_modules(['venv'])
    with pytest.raises(support.InstallError, match='no module no_such'):
        support.check_modules(['venv', 'no_such'])


@needs_space
def test_unreachable_index(project):
    project.fill_cache()
    errors = project.refuses()
    assert 'package index cannot be reached (Connection ref' in errors
    assert not project.venv.exists()


# ------------------------------------------------------ stamp and cache


def test_second_run_does_nothing(project):
    project.stamp(with_tests=True)
    for options in ([], ['--tests']):
        status, output, errors = project.run(*options)
        assert status == 0 and 'nothing to do' in output and not errors
    assert not project.cache.exists()


@pytest.mark.parametrize('name', install.BASE_FILES)
def test_changed_file_means_work(project, name):
    project.stamp()
    with open(project.root / name, 'a') as file:
        file.write('# changed\n')
    assert 'no C++ compiler' in project.refuses()


@needs_space
def test_tests_have_their_own_part(project):
    project.stamp(with_tests=True)
    with open(project.root / 'requirements' / 'tests.txt', 'a') as file:
        file.write('# changed\n')
    assert project.run()[0] == 0
    # No compiler is asked for: nothing that it made is missing.
    assert 'package index' in project.refuses('--tests')


def test_stamp_without_environment_does_not_count(project):
    project.stamp()
    (project.venv / 'bin' / 'python').unlink()
    project.refuses()


def test_damaged_stamp_does_not_count(project):
    project.stamp()
    (project.venv / support.STAMP).write_text('{')
    project.refuses()


def test_wheel_key_tells_apart_what_does_not_fit():
    keys = [install_mmcv.wheel_key(*parts) for parts in (
        ('2.12.1', '2.3.6', 'cpu'), ('2.12.0', '2.3.6', 'cpu'),
        ('2.12.1', '2.3.5', 'cpu'), ('2.12.1', '2.3.6', 'cuda13.0-sm90'))]
    assert len(set(keys)) == len(keys)
    tag = 'cp{}{}'.format(*sys.version_info[:2])
    assert all(key.startswith(tag) for key in keys)


def test_cached_wheel_is_found_by_key_only(project, monkeypatch):
    monkeypatch.setenv('XDG_CACHE_HOME', str(project.cache))
    torch, mmcv = map(install_mmcv.pinned, ('torch', 'onedl-mmcv'))
    key = install_mmcv.wheel_key(torch, mmcv, 'cpu')
    assert install_mmcv.cached_wheel(key) is None
    project.fill_cache()
    assert install_mmcv.cached_wheel(key).parent.name == key
    for other in (install_mmcv.wheel_key('0', mmcv, 'cpu'),
                  install_mmcv.wheel_key(torch, mmcv, 'cuda13.0-sm90')):
        assert install_mmcv.cached_wheel(other) is None


# ------------------------------------- lock, interruption, sub-commands


def test_second_run_waits_for_the_first(project):
    with support.lock(project.cache / 'nasbnn_det' / 'install.lock'):
        process = project.start()
        assert 'waiting' in process.stdout.readline()
        assert process.poll() is None
    assert 'no C++ compiler' in process.communicate(timeout=60)[1]


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_interruption_is_one_line(project, number):
    with support.lock(project.cache / 'nasbnn_det' / 'install.lock'):
        process = project.start()
        process.stdout.readline()
        process.send_signal(number)
        errors = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert errors.startswith('install: interrupted') and len(
        errors.splitlines()) == 1


def test_interruption_ends_what_was_started(tmp_path):
    code = ('import sys, pathlib, install_support as support\n'
            'support.catch_signals()\n'
            'command = ["sh", "-c", "sleep 60 & echo $!; wait"]\n'
            'support.run_step("step", command, pathlib.Path(sys.argv[1]))\n')
    log = tmp_path / 'step.log'
    process = subprocess.Popen(
        [sys.executable, '-c', code, log], cwd=ROOT / 'tools',
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 30
    while not (log.exists() and log.read_text().endswith('\n')):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    process.wait(timeout=30)
    grandchild = int(log.read_text())
    while is_running(grandchild):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_running(number):
    """Return whether a process is there and not only waiting to be reaped."""
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    stat = Path(f'/proc/{number}/stat')
    return not (stat.exists() and stat.read_text().split()[2] == 'Z')


def test_failing_step_names_itself_its_log_and_the_reason(tmp_path, capsys):
    log = tmp_path / 'logs' / 'step.log'
    code = 'print("a.cpp:3:1: error: no type"); print("bye"); exit(3)'
    with pytest.raises(support.InstallError) as error:
        support.run_step('making tea', [sys.executable, '-c', code], log)
    line = str(error.value)
    assert 'making tea' in line and str(log) in line and '\n' not in line
    assert line.endswith('a.cpp:3:1: error: no type')
    assert 'bye' in log.read_text()
    assert capsys.readouterr().out == 'making tea ... failed\n'


@pytest.mark.parametrize('text, expected', [
    ('', 'it said nothing'),
    ('one\n  two  words\n\n', 'two words'),
    ('ERROR: no such package\n\nnote: not a problem with pip\nhint: look up',
     'ERROR: no such package'),
    ('/b-x/a.cpp:1:2: error: bad\nninja: stopped\nERROR: Failed to build',
     'a.cpp:1:2: error: bad'),
    ('OSError: [Errno 28] No space left on device\nERROR: Failed to build',
     'OSError: [Errno 28] No space left on device'),
])
def test_last_line_is_the_meaningful_one(text, expected):
    assert support.last_line(text) == expected
