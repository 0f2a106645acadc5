"""A backbone builds no stage after its last output, and still takes its part of a whole network's weights."""
import pytest
import torch

from nasbnn_det.arch import SPACES, Arch
from nasbnn_det.registry import MODELS

BACKBONES = {
    'NASBNN': (dict(arch=Arch.smallest(SPACES['tiny'])), (1, 2), (4, )),
    'BinaryResNet': (dict(), (0, 1), (3, )),
    'ReActNet': (dict(), (0, 2), (4, )),
    'NASBResNet': (dict(depth=18, base_channels=8), (0, 1), (3, )),
}


def build(name, out_indices, **kwargs):
    torch.manual_seed(0)
    return MODELS.build(dict(type=f'nasbnn_det.{name}', out_indices=out_indices, **BACKBONES[name][0], **kwargs))


@pytest.mark.parametrize('name', BACKBONES)
def test_every_parameter_is_trained(name):
    net = build(name, BACKBONES[name][1]).train()
    sum(out.square().mean() for out in net(torch.randn(2, 3, 32, 32))).backward()
    without = [key for key, value in net.named_parameters() if value.requires_grad and value.grad is None]
    assert not without
    whole = build(name, BACKBONES[name][2])
    assert set(net.state_dict()) < set(whole.state_dict())


@pytest.mark.parametrize('name', BACKBONES)
def test_the_weights_of_a_whole_network_are_taken(name, tmp_path):
    _, some, last = BACKBONES[name]
    whole = build(name, (*some, *last))
    with torch.no_grad():
        for value in whole.parameters():
            value.add_(0.1 * torch.randn_like(value))
    torch.save({f'backbone.{key}': value for key, value in whole.state_dict().items()}, tmp_path / 'whole.pth')
    net = build(name, some, init_cfg=dict(type='Pretrained', checkpoint=str(tmp_path / 'whole.pth')))
    net.init_weights()
    x = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        assert all(map(torch.equal, net.eval()(x), whole.eval()(x)))
    # Without init_cfg, as a runner loads a checkpoint, nothing may be left over.
    with pytest.raises(ValueError, match='left over'):
        net.load_state_dict(whole.state_dict())


def test_a_search_needs_all_stages():
    with pytest.raises(ValueError, match='a search needs the last stage, 3'):
        MODELS.build(dict(type='nasbnn_det.NASBSearchResNet', depth=18, base_channels=8, out_indices=(0, 1)))
