"""Networks in two bits a weight: what they compute, and what is left for fine-tuning."""
import pytest
import torch
from safetensors.torch import load_file

from nasbnn_det.apis.publish import read_subnet
from nasbnn_det.arch import Arch, get_space, load_arch
from nasbnn_det.binary import BinaryConv2d
from nasbnn_det.pretrained import two_bit
from nasbnn_det.supernet import Subnet, save_subnet
from nasbnn_det.supernet.checkpoint import read_checkpoint

SPACE = [[[8], [1], [3], [1], [1], 2], [[16, 24], [1, 2], [3, 5], [1, 2], [1], 2], [[24, 32], [2], [3], [2], [1], 2]]


@pytest.fixture(scope='module')
def net():
    """A network whose matrices, norms and shifts are no longer those of the start."""
    torch.manual_seed(0)
    subnet = Subnet(Arch.biggest(get_space(SPACE)), 7)
    optim = torch.optim.SGD(subnet.parameters(), 0.05)
    for _ in range(3):
        x = torch.randn(16, 3, 32, 32)
        torch.nn.functional.cross_entropy(subnet(x), torch.arange(16) % 7).backward()
        optim.step()
        optim.zero_grad()
    for module in subnet.modules():
        if getattr(module, 'transform', None) is not None:
            module.transform.data += 0.1 * torch.randn_like(module.transform)
    return subnet.eval()


@pytest.fixture(scope='module')
def read(net, tmp_path_factory):
    """The same, written and read again; and its file."""
    file = tmp_path_factory.mktemp('weights') / 'small.safetensors'
    two_bit.write(file, net, net.arch.to_json())
    return read_subnet(file), file


def layers(module):
    return [m for m in module.modules() if isinstance(m, BinaryConv2d)]


def test_signs_are_exact(net, read):
    for before, after in zip(layers(net), layers(read[0])):
        assert torch.equal(before.binarized()[0], after.binarized()[0])
    assert any(layer.transform is not None for layer in layers(net))


def test_it_answers_as_before(net, read):
    x = torch.randn(20, 3, 32, 32)
    with torch.no_grad():
        before, after = net(x), read[0](x)
    # The classifier's weights are in eight bits.
    assert (before - after).abs().max() < 0.02 * before.std()
    assert torch.equal(before.argmax(1), after.argmax(1))
    with torch.no_grad():
        maps = zip(net.forward_features(x), read[0].forward_features(x))
        for whole, few in maps:
            torch.testing.assert_close(few, whole, rtol=1e-4, atol=1e-4)


def test_a_channels_mean_and_mean_size_stay(net, read):
    for before, after in zip(layers(net), layers(read[0])):
        prepared = before.binarization.weights.prepare(before.weight, before.transform).flatten(1)
        whole = prepared * (before.weight.flatten(1).std(1) / prepared.std(1))[:, None]
        few = after.weight.flatten(1)
        torch.testing.assert_close(few.mean(1), whole.mean(1), rtol=0, atol=1e-6)
        torch.testing.assert_close(few.abs().mean(1), whole.abs().mean(1), rtol=1e-5, atol=0)
        assert torch.corrcoef(torch.stack([few.flatten(), whole.flatten()]))[0, 1] > 0.9  # 0.94 for a normal distribution


def test_the_larger_half_stays_the_larger(net, read):
    for before, after in zip(layers(net), layers(read[0])):
        was = before.binarization.weights.prepare(before.weight, before.transform).flatten(1).abs()
        now = after.weight.flatten(1).abs()
        half = was.shape[1] // 2
        assert torch.equal(*(x.topk(half, 1).indices.sort(1).values for x in (was, now)))


def test_two_bits_a_weight(net, read):
    numbers = load_file(read[1])
    rows = [(len(layer.weight), layer.weight[0].numel()) for layer in layers(net)]
    assert sum(v.numel() for k, v in numbers.items() if k + '|means' in numbers) == sum(o * -(-k // 4) for o, k in rows)
    assert sum(v.numel() for v in numbers.values() if v.dtype == torch.int8) == net.fc.weight.numel()


def test_the_file_serves_as_checkpoint_and_as_architecture(net, read):
    assert load_arch(str(read[1])) == net.arch
    state, meta = read_checkpoint(read[1])
    assert set(state) == set(net.state_dict()) and meta['arch'] == net.arch.to_dict()


def test_published_once_more_nothing_changes(read, tmp_path):
    two_bit.write(tmp_path / 'again.safetensors', read[0], read[0].arch.to_json())
    again = read_subnet(tmp_path / 'again.safetensors')
    for before, after in zip(layers(read[0]), layers(again)):
        assert torch.equal(before.binarized()[0], after.binarized()[0])


def test_an_extracted_subnet_is_read_too(net, tmp_path):
    save_subnet(tmp_path / 'subnet.pth', net)
    assert torch.equal(read_subnet(tmp_path / 'subnet.pth').fc.weight, net.fc.weight)


def test_other_files_are_refused(net, tmp_path):
    torch.save(dict(state_dict=dict(weight=torch.zeros(1))), tmp_path / 'other.pth')
    with pytest.raises(ValueError, match='holds no classifier on a found backbone'):
        read_subnet(tmp_path / 'other.pth')
    (tmp_path / 'cut.safetensors').write_bytes(b'\xff' * 64)
    with pytest.raises(ValueError, match='no file of weights that publish_model.py wrote'):
        read_subnet(tmp_path / 'cut.safetensors')
    with pytest.raises(FileNotFoundError, match="'.*missing.safetensors' does not exist"):
        load_arch(tmp_path / 'missing.safetensors')
    two_bit.write(tmp_path / 'whole.safetensors', net, net.arch.to_json())
    whole = (tmp_path / 'whole.safetensors').read_bytes()
    (tmp_path / 'half.safetensors').write_bytes(whole[:len(whole) // 2])
    with pytest.raises(ValueError, match='is damaged'):
        read_subnet(tmp_path / 'half.safetensors')
