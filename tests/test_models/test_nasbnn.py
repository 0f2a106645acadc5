"""The backbone NASBNN."""
import copy

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip('mmengine')

from mmengine.runner.checkpoint import load_checkpoint, load_state_dict  # noqa: E402
from random_spaces import archs  # noqa: E402
from torch import nn  # noqa: E402

from nasbnn_det.arch import SPACES, Arch, Front, FrontEntry  # noqa: E402
from nasbnn_det.registry import MODELS  # noqa: E402
from nasbnn_det.supernet import Supernet, extract_subnet, save_subnet  # noqa: E402

TINY = SPACES['tiny']
ARCH = Arch.smallest(TINY)


def build(**kwargs):
    """A backbone by its config."""
    torch.manual_seed(0)
    return MODELS.build(dict(dict(type='nasbnn_det.NASBNN', arch=ARCH.to_dict(), out_indices=(2, 3, 4)), **kwargs))


@given(archs(strides=(1, 2)), st.data(), st.integers(7, 33), st.integers(7, 33), st.sampled_from(('standardized', 'float')))
@torch.no_grad()
def test_channels_strides_and_sizes(arch, data, height, width, binarization):
    stages = range(len(arch.stages))
    out_indices = sorted(data.draw(st.sets(st.sampled_from(stages), min_size=1)))
    net = build(arch=arch, out_indices=out_indices, binarization=binarization).eval()
    outs = net(torch.randn(2, 3, height, width))
    assert net.out_channels == tuple(arch.stage_channels[i] for i in out_indices)
    assert net.out_strides == tuple(arch.space.strides[i] for i in out_indices)
    assert [o.shape for o in outs] == [(2, c, -(-height // s), -(-width // s))
                                       for c, s in zip(net.out_channels, net.out_strides)]


def test_imagenet_stages_are_c2_to_c5():
    net = build(arch=Arch.smallest(SPACES['imagenet']), out_indices=(2, 3, 4, 5))
    assert net.out_strides == (4, 8, 16, 32) and net.out_channels == (96, 192, 384, 768)


def test_front_file_names_the_architecture(tmp_path):
    small, big = ARCH, Arch.biggest(TINY)
    Front((FrontEntry(small, 1e6, 1.0), FrontEntry(big, 9e6, 2.0))).save(tmp_path / 'front.json')
    assert build(arch=str(tmp_path / 'front.json')).arch == big
    assert build(arch=f"{tmp_path / 'front.json'}#2").arch == small


@pytest.mark.parametrize('kwargs, words', [
    (dict(out_indices=(2, 5)), 'stage 5 does not exist'),
    (dict(out_indices=(4, 2)), 'ascending without repeats'),
    (dict(frozen_stages=5), 'frozen_stages is 5; allowed are -1'),
    (dict(frozen_stages=-2), 'frozen_stages is -2'),
    (dict(binarization='half'), "'half' is unknown; allowed are"),
    (dict(arch=dict(ARCH.to_dict(), stages=[])), 'illegal architecture'),
    (dict(init_cfg=dict(type='Pretrained', checkpoint='x', map='cpu')), 'unknown keys'),
])
def test_bad_arguments(kwargs, words):
    with pytest.raises(ValueError, match=words):
        build(**kwargs).init_weights()


@pytest.mark.parametrize('frozen', range(-1, 5))
def test_frozen_stages(frozen):
    net = build(frozen_stages=frozen).train()
    for _ in range(2):
        for i, stage in enumerate((net.stem, *net.stages)):
            free = i > frozen
            assert all(p.requires_grad == free for p in stage.parameters())
            assert all(m.training == free for m in stage.modules())
        net.eval().train()
    before = copy.deepcopy(net.state_dict())
    sum(o.sum() for o in net(torch.randn(2, 3, 32, 32))).backward() if frozen < 4 else net(torch.randn(2, 3, 32, 32))
    changed = {k for k, v in net.state_dict().items() if not torch.equal(v, before[k])}
    moved = {'stem' if k.startswith('stem') else int(k.split('.')[1]) + 1 for k in changed}
    assert moved == {'stem' if i == 0 else i for i in range(frozen + 1, 5)}


def test_norm_eval():
    net = build(norm_eval=True).train()
    norms = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    assert norms and not any(m.training for m in norms) and net.stem.conv.training
    assert all(p.requires_grad for p in net.parameters())
    net(torch.randn(2, 3, 32, 32))
    assert not any(m.num_batches_tracked for m in norms)


@pytest.mark.parametrize('kwargs', [dict(), dict(norm_eval=True), dict(frozen_stages=1)])
def test_checkpointing_gives_the_same_gradients(kwargs):
    plain, saving = build(**kwargs).train(), build(with_cp=True, **kwargs).train()
    saving.load_state_dict(plain.state_dict())
    x = torch.randn(2, 3, 33, 31)
    for net in (plain, saving):
        sum((o * o).mean() for o in net(x)).backward()
    for (name, a), b in zip(plain.named_parameters(), saving.parameters()):
        assert (a.grad is None) == (b.grad is None), name
        if a.grad is not None:
            torch.testing.assert_close(a.grad, b.grad, rtol=1e-5, atol=1e-7, msg=name)


# Weights.


class Detector(nn.Module):
    """A model that holds a backbone."""

    def __init__(self):
        super().__init__()
        self.backbone = build()
        self.neck = nn.Linear(2, 2)


@pytest.mark.parametrize('model', [build, Detector])
@pytest.mark.parametrize('load', [
    lambda m, s: m.load_state_dict(s, strict=False),
    lambda m, s: load_state_dict(m, s, strict=False),
])
def test_partial_weights_raise_even_non_strictly(model, load):
    net = model()
    state = net.state_dict()
    load(net, state)
    stem = next(k for k in state if k.endswith('stem.conv.weight'))
    prefix = stem[:-len('stem.conv.weight')]
    broken = [
        ({k: v for k, v in state.items() if k != stem}, '1 missing'),
        ({**state, f'{prefix}stages.7.x': torch.zeros(1)}, '1 left over'),
        ({**state, stem: torch.zeros(1)}, '1 of another shape'),
        ({f'wrong.{k}': v for k, v in state.items()}, 'missing'),
    ]
    for given_state, words in broken:
        with pytest.raises(ValueError, match=words):
            load(net, given_state)


def test_partial_checkpoint_file_raises(tmp_path):
    state = Detector().state_dict()
    state.pop('backbone.stages.0.0.conv1.bn.bias')
    torch.save(dict(state_dict=state), tmp_path / 'a.pth')
    with pytest.raises(ValueError, match='1 missing .first: stages.0.0.conv1.bn.bias'):
        load_checkpoint(Detector(), str(tmp_path / 'a.pth'), strict=False)
    state = {k: v for k, v in Detector().state_dict().items() if not k.startswith('neck')}
    torch.save(dict(state_dict=state), tmp_path / 'b.pth')
    load_checkpoint(Detector(), str(tmp_path / 'b.pth'), strict=False)


@pytest.mark.parametrize('source', ['supernet', 'subnet', 'detector'])
def test_pretrained_equals_extracted(tmp_path, source):
    arch = Arch.random(TINY, np.random.default_rng(3))
    torch.manual_seed(1)
    supernet = Supernet(TINY, 3)
    supernet.train()(torch.randn(2, 3, 32, 32), arch)  # statistics and steps of its own
    subnet, path = extract_subnet(supernet, arch), tmp_path / 'w.pth'
    if source == 'supernet':
        torch.save(dict(state_dict={f'supernet.{k}': v for k, v in supernet.state_dict().items()}), path)
    elif source == 'subnet':
        save_subnet(path, subnet)
    else:
        torch.save({f'backbone.{k}': v for k, v in subnet.state_dict().items() if not k.startswith('fc.')}, path)
    net = build(arch=arch, out_indices=range(5), init_cfg=dict(type='Pretrained', checkpoint=str(path)))
    net.init_weights()
    x = torch.randn(1, 3, 33, 47)
    for ours, expected in zip(net.eval()(x), subnet.forward_features(x), strict=True):
        assert torch.equal(ours, expected)
    assert net.is_init


def test_pretrained_of_another_architecture_is_refused(tmp_path):
    save_subnet(tmp_path / 'w.pth', extract_subnet(Supernet(TINY, 3), Arch.biggest(TINY)))
    with pytest.raises(ValueError, match='holds the architecture .* this network is'):
        build(init_cfg=dict(type='Pretrained', checkpoint=str(tmp_path / 'w.pth'))).init_weights()
    with pytest.raises(FileNotFoundError, match='absent.pth'):
        build(init_cfg=dict(type='Pretrained', checkpoint=str(tmp_path / 'absent.pth'))).init_weights()


def test_a_twin_loads_a_twin(tmp_path):
    arch = Arch.smallest(SPACES['tiny'])
    torch.manual_seed(0)
    twin = MODELS.build(dict(type='nasbnn_det.NASBNN', arch=arch, out_indices=(2, ), binarization='float'))
    torch.save(dict(state_dict={f'backbone.{k}': v for k, v in twin.state_dict().items()}), tmp_path / 'twin.pth')
    pretrained = dict(type='Pretrained', checkpoint=str(tmp_path / 'twin.pth'))
    other = MODELS.build(dict(type='nasbnn_det.NASBNN', arch=arch, out_indices=(2, ), binarization='float',
                              init_cfg=pretrained))
    other.init_weights()
    assert all(torch.equal(a, b) for a, b in zip(twin.state_dict().values(), other.state_dict().values()))
    binary = MODELS.build(dict(type='nasbnn_det.NASBNN', arch=arch, out_indices=(2, ), init_cfg=pretrained))
    with pytest.raises(ValueError, match='has wrong keys'):
        binary.init_weights()
