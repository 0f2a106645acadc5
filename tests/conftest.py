"""What all tests share: the settings of property tests, and the recorded numbers of an independent implementation."""
import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from unittest import mock

import in_process
import pytest
import recorded_weights
from hypothesis import HealthCheck, settings

if 'PYTEST_XDIST_WORKER' in os.environ:
    # Several processes share the cores; torch, imported later, reads this, and so do the processes that tests start.
    os.environ['OMP_NUM_THREADS'] = '1'

settings.register_profile(
    'nasbnn_det',
    max_examples=15,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
settings.load_profile('nasbnn_det')

_REFERENCE = Path(__file__).resolve().parent / 'data' / 'reference'


@pytest.fixture(scope='session', autouse=True)
def plain_config_text():
    """MMEngine writes each config out, several times a run; yapf's layout of it takes longer than the rest of a tiny run."""
    if importlib.util.find_spec('mmengine') is None:
        yield
        return
    from mmengine.config import config
    from yapf.yapflib import yapf_api
    # onedl-mmengine imports it where it calls it.
    owner = config if hasattr(config, 'FormatCode') else yapf_api
    with mock.patch.object(owner, 'FormatCode', lambda text, **_: (text, True)):
        yield


def default_scopes():
    """MMEngine's, of which the last one counts, for the whole process."""
    registry = sys.modules.get('mmengine.registry')
    return registry.DefaultScope._instance_dict if registry else {}


@pytest.fixture(scope='module', autouse=True)
def no_default_scope_is_left_by_a_module():
    """What the fixtures of a module set ends with it: no test depends on those before it."""
    yield
    default_scopes().clear()


@pytest.fixture(autouse=True)
def no_default_scope_is_left_by_a_test():
    """What a test sets ends with it."""
    before = dict(default_scopes())
    yield
    default_scopes().clear()
    default_scopes().update(before)


@pytest.fixture(scope='session')
def reference(tmp_path_factory):
    """Gives ``reference('FILE')``, the path of a recorded file; data/reference/README.md says what is recorded."""
    made = {}

    def path(name):
        if name == 'narrow_checkpoint.pth.tar' and name not in made:
            made[name] = recorded_weights.write_checkpoint(_REFERENCE, tmp_path_factory.mktemp('reference') / name)
        return made.get(name, _REFERENCE / name)

    return path


@pytest.fixture(scope='session')
def run_tool():
    """``run_tool('tools/train.py', *args)`` runs a tool in this process, from the repository's root; see in_process.py."""
    pytest.importorskip('mmengine')
    return in_process.run_tool


@pytest.fixture(scope='session')
def tiny_shapes(tmp_path_factory):
    """Folder of a ShapesCOCO of a few images, for training steps; read it only."""
    from nasbnn_det.datasets.shapes import write_shapes_coco
    root = tmp_path_factory.mktemp('tiny_shapes') / 'set'
    write_shapes_coco(root, num_train=4, num_val=4, image_size=64, num_cls_train=10, num_cls_val=5, cls_size=48)
    return root


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 256 KiB."""
    folder = tmp_path / 'disk'
    folder.mkdir()
    mounted = subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', folder], capture_output=True)
    if mounted.returncode:
        pytest.skip('may not mount a file system')
    yield folder
    subprocess.run(['umount', '-l', folder], check=True)
