"""Packed files: what is written comes back; whatever else is given ends in one sentence."""
import hashlib
import json
import struct

import numpy as np
import pytest
import torch
from shaken_network import shake
from torch import nn

from nasbnn_det.binary import BinaryBlock, BinaryConvModule, QuantConv2d, Stem
from nasbnn_det.runtime import PackedChain, PackedFile, load_packed, pack, save_packed
from nasbnn_det.runtime.file import split_packed


class Net(nn.Module):
    """A small network with a chain, two bricks that share a convolution, a predictor and a float layer."""

    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(Stem(3, 12), BinaryBlock(12, 24, 3, 2, 2), BinaryBlock(24, 24, 5))
        self.towers = nn.ModuleList([BinaryConvModule(24, 24)])
        self.towers.append(BinaryConvModule(24, 24, conv=self.towers[0].conv))
        self.predict = QuantConv2d(24, 5, 1)
        self.scale = nn.Parameter(torch.tensor([2.0]))
        self.norm = nn.BatchNorm2d(5)

    def forward(self, x):
        x = self.backbone(x)
        return self.norm(self.predict(self.towers[0](x) + self.towers[1](x))) * self.scale


@pytest.fixture(scope='module')
def net():
    torch.manual_seed(0)
    return shake(Net())


@pytest.fixture(scope='module')
def file(net, tmp_path_factory):
    path = tmp_path_factory.mktemp('packed') / 'net.safetensors'
    save_packed(path, PackedFile(*split_packed(pack(net)), info=dict(classes=['a'], arch=None)))
    return path


def checksum(header, tensors):
    """SHA-256 as the format has it, so that a file of today opens tomorrow: the description without it, then the tensors."""
    description = {key: value for key, value in header.items() if key != 'sha256'}
    digest = hashlib.sha256(json.dumps(description, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f'{name} {tensor.dtype} {tuple(tensor.shape)} '.encode() + tensor.numpy().tobytes())
    return digest.hexdigest()


def rewrite(source, target, change, sign=True):
    """Applies ``change(header, tensors)`` to a packed file and signs it anew."""
    from safetensors.torch import load, save
    data = source.read_bytes()
    size, = struct.unpack('<Q', data[:8])
    header = json.loads(json.loads(data[8:8 + size])['__metadata__']['nasbnn_det'])
    tensors = load(data)
    change(header, tensors)
    header['sha256'] = checksum(header, tensors) if sign else header['sha256']
    target.write_bytes(save(tensors, {'nasbnn_det': json.dumps(header)}))
    return target


def test_a_file_brings_the_network_back(net, file, isa):
    x = torch.randn(2, 3, 21, 30)
    want = pack(net)(x)
    loaded = load_packed(file)
    assert torch.equal(loaded.apply_to(Net())(x), want)
    assert loaded.info['classes'] == ['a']
    assert loaded.chains['towers.0'].layers[0].weight is loaded.chains['towers.1'].layers[0].weight


def test_chains_keep_their_outputs(tmp_path):
    from nasbnn_det.runtime.packer import pack_layers
    network = shake(nn.Sequential(Stem(3, 8), BinaryBlock(8, 16, 3), BinaryBlock(16, 8, 3)))
    chain = PackedChain(pack_layers([network]), [0, 2, 3])
    save_packed(tmp_path / 'c.safetensors', PackedFile(dict(c=chain)))
    x = torch.randn(1, 3, 9, 9)
    assert all(map(torch.equal, load_packed(tmp_path / 'c.safetensors').chains['c'](x), chain(x)))


def test_binary_weights_take_a_bit(tmp_path):
    torch.manual_seed(0)
    model = nn.Sequential(*(BinaryConvModule(256, 256) for _ in range(4)))
    save_packed(tmp_path / 'm.safetensors', PackedFile(*split_packed(pack(nn.ModuleDict(dict(m=model))))))
    floats = sum(t.numel() * 4 for t in model.state_dict().values())
    assert floats / (tmp_path / 'm.safetensors').stat().st_size > 28


def test_another_model_is_refused(file):
    with pytest.raises(ValueError, match='of another model: Sequential has no'):
        load_packed(file).apply_to(nn.Sequential(nn.Conv2d(3, 3, 1)))
    other = Net()
    other.more = nn.Linear(2, 2)
    with pytest.raises(ValueError, match='2 keys differ, such as more.bias'):
        load_packed(file).apply_to(other)


def test_what_is_no_packed_file_is_refused(file, tmp_path):
    bad = tmp_path / 'bad.safetensors'
    with pytest.raises(FileNotFoundError, match='does not exist'):
        load_packed(bad)
    data = file.read_bytes()
    for content in (b'', b'hello', data[:100], data[:-1], data + b'\0', json.dumps({}).encode()):
        bad.write_bytes(content)
        with pytest.raises(ValueError, match='is no packed file, or is cut off'):
            load_packed(bad)
    from safetensors.torch import save
    bad.write_bytes(save({'x': torch.zeros(3)}))
    with pytest.raises(ValueError, match='is no packed file'):
        load_packed(bad)


def test_another_version_and_a_wrong_checksum_are_named(file, tmp_path):
    target = tmp_path / 'v.safetensors'
    rewrite(file, target, lambda header, tensors: header.update(version=7))
    with pytest.raises(ValueError, match='has format version 7; this release reads version 2'):
        load_packed(target)
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    target.write_bytes(data)
    with pytest.raises(ValueError, match='is damaged: its checksum is wrong'):
        load_packed(target)


@pytest.mark.parametrize('change, message', [
    (lambda h, t: h.update(chains={}), 'it describes no chains'),
    (lambda h, t: h['chains']['backbone'].update(outputs=[5, 1]), 'outputs are'),
    (lambda h, t: h['chains']['backbone'].update(outputs=['x']), 'allowed are null and a list'),
    (lambda h, t: h['chains']['backbone']['layers'].pop(), 'weights too many'),
    (lambda h, t: h['chains']['backbone']['layers'][0].update(out_channels=10**9), 'allowed are integers from 1 to 16384'),
    (lambda h, t: h['chains']['backbone']['layers'][0].update(kernel=[31, 31], out_channels=16384, in_channels=16384),
     'is too large'),
    (lambda h, t: h['chains']['backbone']['layers'][1].update(groups=5), 'divisible by groups=5'),
    (lambda h, t: h['chains']['backbone']['layers'][1].update(weight='int4'), "allowed are 'binary'"),
    (lambda h, t: h['chains']['backbone']['layers'][1].update(colour='red'), 'is described by the keys'),
    (lambda h, t: h['chains']['towers.1']['layers'][0].update(weight_of='backbone:0'), 'shares the weight'),
    (lambda h, t: h['chains']['towers.1']['layers'][0].update(weight_of=3), 'shares the weight'),
    (lambda h, t: t.update({'backbone.numbers': t['backbone.numbers'][:-1]}), 'too few numbers'),
    (lambda h, t: t.update({'backbone.weights': t['backbone.weights'].float()}), 'needs uint8 weights'),
    (lambda h, t: t.update(extra=torch.zeros(1)), 'tensors and description differ'),
])
def test_files_that_contradict_themselves_are_refused(change, message, file, tmp_path):
    with pytest.raises(ValueError, match=message):
        load_packed(rewrite(file, tmp_path / 'c.safetensors', change))


def mutated(rng, data):
    """Bytes changed, cut, doubled or moved, mostly in the header, where the sizes stand."""
    data = bytearray(data)
    size, = struct.unpack('<Q', bytes(data[:8]))
    if rng.random() < 0.2:  # numbers and bits alone: such a file must run
        for at in rng.integers(min(len(data) - 1, size + 8), len(data), 5):
            data[at] = int(rng.integers(256))
        return bytes(data)
    for _ in range(int(rng.integers(1, 4))):
        at = int(rng.integers(0, min(len(data), size + 8) if rng.random() < 0.7 else len(data)))
        kind = rng.integers(4)
        if kind == 0:
            data[at] = int(rng.integers(256))
        elif kind == 1:
            data[at:at + 1] = rng.choice([b'9', b'-', b'"', b'{', b'e', b'[]', b'99999999', b'0.5', b'null']).item()
        elif kind == 2:
            del data[at:at + int(rng.integers(1, 40))]
        else:
            data[at:at] = data[at:at + int(rng.integers(1, 40))]
    return bytes(data)


def resized(changed, data):
    """What ``data`` was changed to, with a header length that fits again: more of the mutations reach our own checks."""
    size, = struct.unpack('<Q', data[:8])
    return struct.pack('<Q', max(0, size + len(changed) - len(data))) + changed[8:]


def fuzz(file, folder, seed, count):
    """Loads mutated files; whatever loads must run. Returns how many were refused and how many ran."""
    rng = np.random.default_rng(seed)
    data, target, refused, ran = file.read_bytes(), folder / 'fuzz.safetensors', 0, 0
    images = torch.zeros(1, 3, 8, 8)
    for _ in range(count):
        changed = mutated(rng, data)
        target.write_bytes(resized(changed, data) if rng.random() < 0.5 else changed)
        try:
            # Without the checksum, as a stranger would have made it right again.
            loaded = load_packed(target, check_sum=False)
        except ValueError:
            refused += 1
            continue
        for chain in loaded.chains.values():
            channels = chain.layers[0].spec.in_channels
            try:
                chain(images if channels == 3 else torch.zeros(1, channels, 8, 8))
            except ValueError:
                pass
        ran += 1
    return refused, ran


def test_mutated_files_are_refused_or_run(file, tmp_path):
    refused, ran = fuzz(file, tmp_path, 0, 1500)
    assert refused > 100 and ran > 100


@pytest.mark.slow
@pytest.mark.parametrize('seed', range(1, 5))
def test_many_mutated_files_are_refused_or_run(seed, file, tmp_path):
    refused, ran = fuzz(file, tmp_path, seed, 5000)
    assert refused > 500 and ran > 500


def random_value(rng):
    values = [0, 1, -1, 2**31, 2**63, 1e308, 0.5, True, None, '', 'binary', [], [1], [3, 3], [2, 2], {}, 'x' * 50]
    return values[rng.integers(len(values))]


def test_descriptions_with_random_values_are_refused_or_run(file, tmp_path):
    rng = np.random.default_rng(0)
    outcomes = set()
    for _ in range(500):

        def change(header, tensors):
            chain = header['chains'][rng.choice(list(header['chains']))]
            if rng.random() < 0.2:
                header[str(rng.choice(['chains', 'version', 'classes']))] = random_value(rng)
            elif rng.random() < 0.2:
                chain[str(rng.choice(['layers', 'outputs']))] = random_value(rng)
            else:
                layer = chain['layers'][rng.integers(len(chain['layers']))]
                layer[str(rng.choice(['weight', 'in_channels', 'out_channels', 'groups', 'kernel', 'stride', 'padding',
                                      'dilation', 'shortcut', 'activation', 'weight_of']))] = random_value(rng)

        rewrite(file, tmp_path / 'r.safetensors', change)
        try:
            loaded = load_packed(tmp_path / 'r.safetensors')
            for chain in loaded.chains.values():
                chain(torch.zeros(1, chain.layers[0].spec.in_channels, 8, 8))
            outcomes.add('ran')
        except ValueError:
            outcomes.add('refused')
    assert outcomes == {'ran', 'refused'}


@pytest.mark.parametrize('change', [
    lambda header, tensors: header.update(classes=['b']),
    lambda header, tensors: tensors['backbone.numbers'][:1].add_(1),
])
def test_the_checksum_covers_description_and_tensors(file, change, tmp_path):
    same = rewrite(file, tmp_path / 'same.safetensors', lambda header, tensors: None, sign=False)
    assert load_packed(same).info == load_packed(file).info
    with pytest.raises(ValueError, match='checksum'):
        load_packed(rewrite(file, tmp_path / 'other.safetensors', change, sign=False))
