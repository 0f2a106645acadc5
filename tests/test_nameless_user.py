"""A process whose user id has no name: what imports torchvision works."""
import os
import subprocess
import sys

import pytest

pytest.importorskip('torchvision')

CODE = '''
import os, pwd

def unknown(uid):
    raise KeyError(uid)

pwd.getpwuid = unknown
import nasbnn_det
import torchvision
print(os.environ.get('TORCHINDUCTOR_CACHE_DIR'))
'''


@pytest.mark.parametrize('more, names', [
    ({}, 'torchinductor_'), (dict(TORCHINDUCTOR_CACHE_DIR='/mine'), '/mine'), (dict(USER='me'), 'torchinductor_me')])
def test_a_user_without_a_name(more, names, tmp_path):
    named = ('HOME', 'USER', 'LOGNAME', 'LNAME', 'USERNAME', 'TORCHINDUCTOR_CACHE_DIR')
    env = {key: value for key, value in os.environ.items() if key not in named}
    done = subprocess.run([sys.executable, '-c', CODE], env={**env, 'TMPDIR': str(tmp_path), **more}, capture_output=True,
                          text=True)
    assert done.returncode == 0, done.stderr
    assert names in done.stdout.splitlines()[-1]
