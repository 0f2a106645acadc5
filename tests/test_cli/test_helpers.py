"""What the command line tools share: input sizes, and distributed runs without a GPU."""
import pytest
import torch

pytest.importorskip('mmengine')

from mmengine.config import Config  # noqa: E402

from nasbnn_det.arch import SPACES, Arch, Front, FrontEntry  # noqa: E402
from nasbnn_det.cli import choose_shape, file_info, start_processes  # noqa: E402


def test_the_input_size_is_that_of_the_command_line_or_of_the_file(tmp_path):
    arch = Arch.smallest(SPACES['tiny'])
    Front((FrontEntry(arch, 1e6, 1.0), ), dict(input_size=[32, 48])).save(tmp_path / 'front.json')
    (tmp_path / 'arch.json').write_text(arch.to_json())
    front = file_info(f'{tmp_path}/front.json#57')
    assert choose_shape(None, {}, front) == (32, 48) and choose_shape([64, 96], front) == (64, 96)
    for nothing in (f'{tmp_path}/arch.json', f'{tmp_path}/absent.json', arch.to_dict(), None):
        assert file_info(nothing) == {}
    Front((FrontEntry(arch, 1e6, 1.0), ), dict(input_size=[32, 64])).save(tmp_path / 'run#2' / 'front.json')
    for name in ('front.json', 'front.json#57'):
        assert choose_shape(None, file_info(f'{tmp_path}/run#2/{name}')) == (32, 64)
    with pytest.raises(ValueError, match='no file says which input size .* give --shape HEIGHT WIDTH'):
        choose_shape(None, file_info(f'{tmp_path}/arch.json'))
    with pytest.raises(ValueError, match='at least 1'):
        choose_shape([0, 32])


@pytest.mark.skipif(torch.cuda.is_available(), reason='MMEngine does this work where there is a GPU')
def test_without_a_gpu_the_model_gets_a_wrapper_for_cpus(tmp_path):
    alone = Config(dict(launcher='none'))
    start_processes(alone)
    assert alone.get('model_wrapper_cfg') is None and not torch.distributed.is_initialized()
    torch.distributed.init_process_group('gloo', init_method=f'file://{tmp_path}/rendezvous', rank=0, world_size=1)
    try:
        plain = Config(dict(launcher='pytorch', find_unused_parameters=True))
        start_processes(plain)
        assert plain.model_wrapper_cfg == dict(
            type='nasbnn_det.DistributedDataParallel', broadcast_buffers=False, find_unused_parameters=True)
        own = Config(dict(launcher='pytorch', model_wrapper_cfg=dict(type='nasbnn_det.SupernetDistributedDataParallel')))
        start_processes(own)
        assert own.model_wrapper_cfg == dict(type='nasbnn_det.SupernetDistributedDataParallel')
    finally:
        torch.distributed.destroy_process_group()
