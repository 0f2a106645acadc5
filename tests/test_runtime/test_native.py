"""What Python knows of the library: the list of instruction sets, the structs, threads, where it is kept."""
import ctypes
import multiprocessing
import os
import re
import stat
from pathlib import Path

import pytest
import torch
from shaken_network import shake
from torch import nn

from nasbnn_det.binary import BinaryConvModule
from nasbnn_det.native import library, torch_threads, training
from nasbnn_det.native.build import SOURCE_DIR, read_isas, source_files
from nasbnn_det.runtime import PackedChain, available_isas, free_workspaces, native
from nasbnn_det.runtime.packer import pack_layers

needs_kernels = pytest.mark.skipif(available_isas() == ['reference'], reason='the kernels can not be compiled here')


def small_chain():
    torch.manual_seed(0)
    return PackedChain(pack_layers([shake(nn.Sequential(BinaryConvModule(8, 40), BinaryConvModule(40, 40)))]))


def test_every_file_of_kernels_is_listed():
    listed = {isa.source for machine in ('x86_64', 'aarch64') for isa in read_isas(machine)}
    assert listed == {path.name for path in SOURCE_DIR.glob('isa_*.cpp')}
    entries = re.findall(r'^NB_ISA\(', (SOURCE_DIR / 'isas.h').read_text(), re.M)
    assert len(entries) == len(listed)


def test_a_machine_gets_its_own_kernels():
    assert [isa.name for isa in read_isas('AMD64')] == ['avx512', 'avx512bw', 'avx2', 'portable']
    assert [isa.name for isa in read_isas('arm64')] == ['neon', 'portable']
    assert [isa.name for isa in read_isas('riscv64')] == ['portable']
    assert '-mavx2' in read_isas('x86_64')[2].flags
    names = [path.name for path in source_files('aarch64')]
    assert 'isa_neon.cpp' in names and 'isa_avx2.cpp' not in names and 'api.cpp' in names


@needs_kernels
def test_what_runs_here_is_of_the_list_in_its_order():
    listed = [isa.name for isa in read_isas()]
    found = available_isas()[:-1]
    assert found == [name for name in listed if name in found] and found[-1] == 'portable'


@pytest.mark.parametrize('struct, name, header', [
    (native._CLayer, 'NbLayer', 'kernels.h'), (native._CInput, 'NbInput', 'kernels.h'),
    (training._Conv, 'NbConv', 'training.h'), (training._Tail, 'NbTail', 'training.h'),
    (training._Norm, 'NbNorm', 'training.h')])
def test_the_structs_have_the_headers_fields(struct, name, header):
    body = re.search(rf'struct {name} {{(.*?)\n}};', (SOURCE_DIR / header).read_text(), re.S).group(1)
    fields = [field.strip(' *') for line in re.sub('//.*', '', body).split(';')
              for field in re.sub(r'^\s*(const )?(int\d+_t|float|double|void)\b', '', line).split(',') if field.strip()]
    assert fields == [field for field, _ in struct._fields_]


@needs_kernels
def test_a_library_of_another_layer_is_refused(monkeypatch):

    class Longer(ctypes.Structure):
        _fields_ = [*native._CLayer._fields_, ('more', ctypes.c_int64)]

    monkeypatch.setattr(native, '_CLayer', Longer)
    native._library.cache_clear()
    with pytest.raises(RuntimeError, match='must describe the same fields'):
        native._library()


@needs_kernels
@pytest.mark.skipif(not Path('/proc/self/maps').exists(), reason='only Linux says where a library lies')
def test_threads_are_those_of_pytorch():
    address, _ = torch_threads.torch_openmp()
    for line in Path('/proc/self/maps').read_text().splitlines():
        low, high = (int(n, 16) for n in line.split()[0].split('-'))
        if low <= address < high:
            assert 'torch' in line.split()[-1]
            return
    raise AssertionError('it lies in no library')


def _run(chain, x):
    return chain(x), torch.get_num_threads()


@needs_kernels
@pytest.mark.skipif(not hasattr(os, 'fork'), reason='this system has no fork')
@pytest.mark.filterwarnings('ignore:This process')
def test_a_forked_process_finds_the_same(two_threads):
    chain, x = small_chain(), torch.randn(2, 8, 64, 64)
    want = chain(x)
    with multiprocessing.get_context('fork').Pool(1) as pool:
        got, threads = pool.apply_async(_run, (chain, x)).get(timeout=60)
    assert torch.equal(got, want)
    assert threads == 1
    # The parent's threads are still there, and its tensors in memory that both share.
    assert torch.equal(chain(x), want)


def _run_on_two(chain, x):
    torch.set_num_threads(2)
    y = chain(x)
    torch.set_num_threads(1)  # PyTorch's own operators would wait for ever for a second thread
    return y


@needs_kernels
@pytest.mark.skipif(not hasattr(os, 'fork'), reason='this system has no fork')
@pytest.mark.filterwarnings('ignore:This process')
def test_kernels_of_a_forked_process_have_threads_of_their_own(two_threads):
    # In the kernels' own layout, which PyTorch need not bring it into.
    chain, x = small_chain(), torch.randn(2, 8, 64, 64).contiguous(memory_format=torch.channels_last)
    want = chain(x)
    with multiprocessing.get_context('fork').Pool(1) as pool:
        assert torch.equal(pool.apply_async(_run_on_two, (chain, x)).get(timeout=60), want)


@needs_kernels
def test_memory_can_be_given_back():
    chain, x = small_chain(), torch.randn(1, 8, 512, 512)
    want = chain(x)
    free_workspaces()
    assert torch.equal(chain(x), want)


def test_without_a_home_the_kernels_are_kept_in_a_folder_of_the_users_own(monkeypatch, tmp_path):
    monkeypatch.delenv('XDG_CACHE_HOME', raising=False)
    monkeypatch.setattr(Path, 'home', lambda: (_ for _ in ()).throw(RuntimeError('no home')))
    monkeypatch.setattr(library.tempfile, 'gettempdir', lambda: str(tmp_path))
    folder, = library._cache_folders()
    assert folder.parent == tmp_path and stat.S_IMODE(folder.stat().st_mode) == 0o700
    folder.chmod(0o777)  # anybody may have put a library there
    assert list(library._cache_folders()) == []
    folder.rmdir()
    folder.symlink_to(tmp_path)
    assert list(library._cache_folders()) == []
