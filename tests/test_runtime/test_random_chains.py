"""The library under AddressSanitizer and UBSan, and the NEON ones in an emulator.

What ``make sanitize`` and ``make neon`` do, with fewer chains.
"""
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from nasbnn_det.native.build import find_compiler

_CHECK = Path(__file__).resolve().parents[1] / 'csrc' / 'check_kernels.py'
_CROSS = ('aarch64-linux-gnu-g++', 'qemu-aarch64-static')


def check(*arguments):
    """The lines of a check that succeeded."""
    result = subprocess.run([sys.executable, _CHECK, *arguments], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout.strip().splitlines()


@pytest.mark.slow
@pytest.mark.skipif(find_compiler() is None, reason='there is no C++ compiler')
def test_kernels_pass_sanitizers():
    chains, detectors = check('--chains', '300', '--mutations', '1000')
    assert chains.startswith('300 random chains agree with plain loops on: ') and 'of 1000 mutated files' in detectors


@pytest.mark.slow
@pytest.mark.skipif(not all(map(shutil.which, _CROSS)), reason='there is no cross compiler or emulator for aarch64')
def test_neon_in_an_emulator():
    chains, detectors = check('--neon', '--chains', '100', '--mutations', '100')
    assert chains.startswith('100 random chains agree with plain loops on: neon, portable')
    assert 'of 100 mutated files' in detectors
