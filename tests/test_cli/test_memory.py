"""The allocator of a training keeps what a step freed, and asks for huge pages."""
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != 'glibc', reason="is told to glibc's allocator alone")
_PROGRAM = '''
import numpy as np
from nasbnn_det.cli import keep_memory

def resident():
    return int(open('/proc/self/statm').read().split()[1]) * 4096

keep_memory()
before = resident()
array = np.ones(2**24)
assert resident() - before > 2**26
del array
parts = open('/proc/self/smaps').read().split('[heap]')[1:]
flags = [line.split() for part in parts for line in part.splitlines() if line.startswith('VmFlags')]
print(int(resident() - before > 2**26), int(any('hg' in line for line in flags)))
'''


def run(**environment):
    env = {key: value for key, value in os.environ.items() if not key.startswith('MALLOC_') and key != 'GLIBC_TUNABLES'}
    return subprocess.run([sys.executable, '-c', _PROGRAM], env={**env, **environment}, check=True, stdout=subprocess.PIPE,
                          text=True).stdout.split()


def test_memory_is_kept_in_huge_pages():
    kept, huge = run()
    assert kept == '1'
    if Path('/sys/kernel/mm/transparent_hugepage').exists():
        assert huge == '1'


@pytest.mark.parametrize('name, value', [('MALLOC_ARENA_MAX', '2'), ('GLIBC_TUNABLES', 'glibc.malloc.arena_max=2')])
def test_what_the_environment_says_about_memory_stays(name, value):
    assert run(**{name: value}) == ['0', '0']
