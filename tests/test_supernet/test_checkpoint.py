"""Supernet and subnet files: strict, and refused in one clear sentence."""
import hashlib
import pickle
import re
from zipfile import ZipFile

import numpy as np
import pytest
import torch
from shaken import shake

from nasbnn_det.arch import SPACES, Arch, get_space
from nasbnn_det.models.backbones import NASBNN
from nasbnn_det.supernet import Subnet, Supernet, extract_subnet, file_sha256, load_supernet, save_subnet
from nasbnn_det.supernet.checkpoint import check_keys, read_checkpoint

TINY = SPACES['tiny']
ARCH = Arch.random(TINY, np.random.default_rng(1))
OTHER_ARCH = Arch.smallest(TINY)


@pytest.fixture(scope='module')
def supernet():
    """A supernet with nothing at its start; do not change it."""
    torch.manual_seed(0)
    return shake(Supernet(TINY, 3)).eval()


@pytest.fixture
def write(tmp_path):
    """Writes a checkpoint; gives its path."""

    def save(data, name='net.pth'):
        torch.save(data, tmp_path / name)
        return tmp_path / name

    return save


def prefixed(state, prefix):
    """The state with a prefix before every key."""
    return {prefix + k: v for k, v in state.items()}


def says(error, *words):
    """Whether an error is one sentence with these words."""
    message = str(error.value)
    assert all(word in message for word in words), message
    assert '\n' not in message and len(message) < 600
    return True


@pytest.mark.parametrize('prefix', ['', 'supernet.', 'a.b.supernet.'])
def test_supernet_comes_back(supernet, write, prefix):
    state = prefixed(supernet.state_dict(), prefix)
    extra = {'step': torch.tensor(5)} if prefix else {}
    for data in ({**extra, **state}, dict(state_dict={**extra, **state}, meta=dict(epoch=3))):
        loaded = load_supernet(write(data)).eval()
        x = torch.randn(1, 3, 33, 31)
        assert loaded.space == TINY and torch.equal(loaded(x, ARCH), supernet(x, ARCH))


def test_a_custom_space_travels_with_the_weights(write):
    space = get_space([((4, ), (1, ), (3, ), (1, ), (1, ), 2), ((8, 12), (1, 2), (3, 5), (1, 2), (1, ), 2)])
    loaded = load_supernet(write(Supernet(space, 5).state_dict()))
    assert loaded.space == space and loaded.num_classes == 5


def test_supernet_of_another_space_refuses(supernet):
    for strict in (True, False):
        with pytest.raises(ValueError) as error:
            Supernet('cifar', 3).load_state_dict(supernet.state_dict(), strict=strict)
        assert says(error, "space 'tiny'", "space 'cifar'")


def without(state, *keys):
    """The state without some keys."""
    return {k: v for k, v in state.items() if k not in keys}


@pytest.mark.parametrize('change, words', [
    (lambda s: without(s, 'stem.bn.bias'), ('1 missing', 'stem.bn.bias')),
    (lambda s: without(s, 'fc.bias'), ('missing', 'fc.bias')),
    (lambda s: {**s, 'extra.weight': torch.zeros(1)}, ('1 left over', 'extra.weight')),
    (lambda s: {**s, 'stem.act.slope': torch.zeros(3)}, ('1 of another shape', 'stem.act.slope')),
    (lambda s: {**prefixed(without(s, 'space_json'), 'net.'), 'space_json': s['space_json']}, ('missing', 'fc.bias')),
    (lambda s: without(s, 'space_json'), ('holds no supernet', 'space_json')),
    (lambda s: {**s, **prefixed(s, 'copy.')}, ('2 keys', 'space_json')),
    (lambda s: {**s, 'space_json': s['space_json'][:-5]}, ('space', )),
    (lambda s: {**s, 'space_json': s['space_json'] | 128}, ('space', )),
])
def test_bad_supernets(supernet, write, change, words):
    path = write(change(supernet.state_dict()))
    with pytest.raises(ValueError) as error:
        load_supernet(path)
    assert says(error, str(path), *words)


@pytest.mark.parametrize('read', [load_supernet, lambda p: load_subnet_state(p, ARCH)])
def test_missing_file(tmp_path, read):
    with pytest.raises(FileNotFoundError) as error:
        read(tmp_path / 'absent.pth')
    assert says(error, 'absent.pth', 'does not exist')
    with pytest.raises(FileNotFoundError):
        read(tmp_path)


class Bomb:
    """Runs code where a pickle is read without care."""

    def __reduce__(self):
        return (exec, ('raise SystemExit("code ran")', ))


@pytest.mark.parametrize('content', [
    b'', b'no checkpoint', b'PK\x03\x04 cut off', pickle.dumps(Bomb(), 2), pickle.dumps([1, 2], 2)])
@pytest.mark.parametrize('read', [load_supernet, lambda p: load_subnet_state(p, ARCH)])
def test_not_a_checkpoint(tmp_path, content, read):
    path = tmp_path / 'net.pth'
    path.write_bytes(content)
    with pytest.raises(ValueError) as error:
        read(path)
    assert says(error, str(path))


@pytest.mark.parametrize('data', [[1, 2], torch.zeros(3), {}, dict(state_dict={}), dict(state_dict=[1]), dict(a=1),
                                  dict(state_dict=dict(a='text'))])
def test_no_state_dict(write, data):
    path = write(data)
    with pytest.raises(ValueError) as error:
        read_checkpoint(path)
    assert says(error, str(path), 'no state dict')


def test_no_code_is_run(write):
    path = write(dict(state_dict=dict(w=torch.zeros(1)), meta=Bomb()))
    with pytest.raises(ValueError, match='weights_only'):
        read_checkpoint(path)


def test_runner_checkpoints_are_read(write):
    history = pytest.importorskip('mmengine.logging').HistoryBuffer([1.0, 2.0], [1, 1])
    state, meta = read_checkpoint(write(dict(
        state_dict=dict(w=torch.ones(2)), meta=dict(epoch=1), message_hub=dict(log_scalars=dict(loss=history)))))
    assert state['w'].tolist() == [1, 1] and meta == dict(epoch=1)


@pytest.mark.parametrize('module, accepted', [(b'numpy.core.multiarray', True), (b'numpy._core.multiarray', True),
                                              (b'numpy.core.numeric', False)])
def test_checkpoints_from_another_numpy(module, accepted, write):
    """NumPy 1 and 2 have the functions that make arrays in different modules; no other is taken."""
    history = pytest.importorskip('mmengine.logging').HistoryBuffer([1.0, 2.0], [1, 1])
    path = write(dict(state_dict=dict(w=torch.ones(2)), message_hub=dict(log_scalars=dict(loss=history))))
    with ZipFile(path) as file:
        parts = {name: file.read(name) for name in file.namelist()}
    pickled = next(name for name in parts if name.endswith('data.pkl'))
    parts[pickled], changed = re.subn(rb'numpy\._?core\.multiarray(?=\n)', module, parts[pickled])
    assert changed
    with ZipFile(path, 'w') as file:
        for name, data in parts.items():
            file.writestr(name, data)
    if accepted:
        assert read_checkpoint(path)[0]['w'].tolist() == [1, 1]
    else:
        with pytest.raises(ValueError, match='weights_only'):
            read_checkpoint(path)


# Subnets.


def features(subnet):
    """State without the classifier."""
    return {k: v for k, v in subnet.state_dict().items() if not k.startswith('fc.')}


def load_subnet_state(path, arch, prefix=None):
    """What a backbone has after it was initialised from a checkpoint."""
    net = NASBNN(arch, (len(arch.stages) - 1, ), init_cfg=dict(type='Pretrained', checkpoint=str(path), prefix=prefix))
    net.init_weights()
    return net.state_dict()


def same(a, b):
    """Whether two states are equal."""
    return set(a) == set(b) and all(torch.equal(a[k], b[k]) for k in a)


def test_subnet_file(supernet, tmp_path):
    subnet = extract_subnet(supernet, ARCH)
    path = tmp_path / 'deep' / 'er' / 'subnet.pth'
    save_subnet(path, subnet, sha='abc')
    state, meta = read_checkpoint(path)
    assert same(state, subnet.state_dict()) and meta['sha'] == 'abc' and Arch.from_dict(meta['arch']) == ARCH
    assert [p.name for p in path.parent.iterdir()] == ['subnet.pth']


def test_every_source_gives_the_same_weights(supernet, write):
    subnet = extract_subnet(supernet, ARCH)
    detector = {**prefixed(features(subnet), 'backbone.'), 'neck.weight': torch.zeros(1)}
    sources = [supernet.state_dict(), prefixed(supernet.state_dict(), 'supernet.'), subnet.state_dict(),
               features(subnet), detector, dict(state_dict=detector, meta={})]
    for source in sources:
        assert same(load_subnet_state(write(source), ARCH), features(subnet))
    assert same(load_subnet_state(write(detector), ARCH, 'backbone.'), features(subnet))
    two = {**prefixed(features(Subnet(ARCH, 3)), 'teacher.'), **detector}
    assert same(load_subnet_state(write(two), ARCH, 'backbone.'), features(subnet))


@pytest.mark.parametrize('change, prefix, words', [
    (lambda s: without(s, 'stem.bn.bias'), None, ('1 missing', 'stem.bn.bias')),
    (lambda s: {**s, 'stages.9.weight': torch.zeros(1)}, None, ('1 left over', 'stages.9.weight')),
    (lambda s: {**s, 'stem.act.slope': torch.zeros(3)}, None, ('1 of another shape', 'stem.act.slope')),
    (lambda s: prefixed(s, 'net.'), 'backbone.', ('missing', 'arch_json')),
    (lambda s: {**prefixed(s, 'a.'), **prefixed(s, 'b.')}, None, ('2 keys', 'stem.conv.weight')),
    (lambda s: dict(a=torch.zeros(1)), None, ('0 keys', 'stem.conv.weight', 'begin with a')),
    (lambda s: Subnet(OTHER_ARCH, 3).state_dict(), None, ('holds the architecture tiny[', 'this network is tiny[')),
])
def test_bad_subnets(supernet, write, change, prefix, words):
    path = write(change(extract_subnet(supernet, ARCH).state_dict()))
    with pytest.raises(ValueError) as error:
        load_subnet_state(path, ARCH, prefix)
    assert says(error, *words)


def test_supernet_of_another_space_gives_no_subnet(write):
    space = get_space([((4, ), (1, ), (3, ), (1, ), (1, ), 2), ((8, ), (1, ), (3, ), (1, ), (1, ), 2)])
    path = write(Supernet(space, 2).state_dict())
    with pytest.raises(ValueError, match="space 'tiny' given to a supernet of space 'custom'"):
        load_subnet_state(path, ARCH)


def test_check_keys_counts_everything():
    own = dict(a=torch.zeros(1), b=torch.zeros(1), c=torch.zeros(2))
    check_keys(own, dict(own), 'f.pth')
    with pytest.raises(ValueError) as error:
        check_keys(own, dict(c=torch.zeros(3), d=torch.zeros(1)), 'f.pth')
    assert says(error, "'f.pth'", '2 missing (first: a)', '1 left over (first: d)', '1 of another shape (first: c)')


def test_sha256(tmp_path):
    content = bytes(range(256)) * 5000
    (tmp_path / 'f').write_bytes(content)
    assert file_sha256(tmp_path / 'f') == hashlib.sha256(content).hexdigest()
