"""A binary network that begins with what its full-precision twin has learned."""
import pytest
import torch
from torch import nn

from nasbnn_det.apis import start_from_twin
from nasbnn_det.binary import BinaryConvModule, QuantConv2d
from nasbnn_det.binary.quant import initial_step


def network(binarization='standardized', width=8):
    torch.manual_seed(0)
    bricks = [BinaryConvModule(8, width, 3, binarization=binarization),
              BinaryConvModule(width, 8, 1, binarization=binarization)]
    bricks.append(BinaryConvModule(width, 8, 1, conv=bricks[1].conv))  # shared, as by the levels of a head
    predictor = nn.Conv2d if binarization == 'float' else QuantConv2d  # as in a detector's head
    return nn.Sequential(*bricks[:2], nn.Conv2d(8, width, 1), bricks[2], predictor(8, 2, 1), QuantConv2d(2, 2, 1))


@pytest.fixture
def twin(tmp_path):
    """A twin that a training step has changed, and its checkpoint."""
    net = network('float')
    net(torch.randn(2, 8, 6, 6)).square().sum().backward()
    torch.optim.SGD(net.parameters(), 0.1).step()
    torch.save(dict(state_dict=net.state_dict(), meta=dict(epoch=3)), tmp_path / 'twin.pth')
    return net, tmp_path / 'twin.pth'


def test_binary_network_has_the_twins_weights(twin):
    net, path = twin
    binary = network()
    untouched = {key: value.clone() for key, value in binary.state_dict().items()}
    state, meta = start_from_twin(binary, path)
    assert meta == dict(epoch=3)
    assert all(torch.equal(value, untouched[key]) for key, value in binary.state_dict().items())
    binary.load_state_dict(state, strict=True)
    learned = net.state_dict()
    shared = set(learned) & set(state)
    assert len(shared) == len(learned) < len(state)
    assert all(torch.equal(binary.state_dict()[key], learned[key]) for key in shared)
    assert all(torch.equal(state[key], untouched[key]) for key in set(state) - shared)
    # One binary weight per latent one of the twin, of its sign once standardised.
    weight = net[0].conv.weight
    sign = (weight - weight.mean((1, 2, 3), keepdim=True)).sign()
    assert torch.equal(binary[0].conv.binary_weight().sign(), sign)


def test_eight_bit_predictors_take_their_steps_from_the_twins_weights(twin):
    net, path = twin
    binary = network().train()
    binary(torch.randn(2, 8, 6, 6))  # has steps of its own weights
    binary.load_state_dict(start_from_twin(binary, path)[0], strict=True)
    predictor, last = binary[4], binary[5]
    assert not predictor.is_set() and torch.equal(predictor.weight, net[4].weight)
    assert last.is_set() and torch.equal(last.step, net[5].step)  # eight bits in both
    binary(torch.randn(2, 8, 6, 6))
    assert torch.equal(predictor.step, initial_step(net[4].weight)) and predictor.is_set()


def test_what_is_no_twin(twin, tmp_path):
    net, path = twin
    torch.save(dict(state_dict=network().state_dict()), tmp_path / 'binary.pth')
    torch.save(dict(state_dict=network('float', width=16).state_dict()), tmp_path / 'wider.pth')
    for given, file, message in ((network(), 'binary.pth', 'is binary already'),
                                 (network(), 'wider.pth', "full-precision twin"),
                                 (network('float'), 'twin.pth', 'no binary convolution')):
        with pytest.raises(ValueError, match=message):
            start_from_twin(given, tmp_path / file)
    with pytest.raises(FileNotFoundError):
        start_from_twin(network(), tmp_path / 'missing.pth')
