"""Parameters of an architecture are those of the network that is built."""
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from random_spaces import spaces

from nasbnn_det.arch import Arch
from nasbnn_det.binary import BinaryConv2d, QuantConv2d
from nasbnn_det.costs.params import count_params
from nasbnn_det.supernet import Subnet


@given(spaces(), st.integers(0, 99))
def test_agree_with_the_built_network(space, seed):
    arch = Arch.random(space, np.random.default_rng(seed))
    net = Subnet(arch, 7)
    binary = sum(m.weight.numel() for m in net.modules() if isinstance(m, BinaryConv2d))
    matrices = sum(p.numel() for name, p in net.named_parameters() if name.endswith('.transform'))
    stem = sum(m.weight.numel() for m in net.modules() if isinstance(m, QuantConv2d))
    everything = sum(p.numel() for p in net.parameters())
    found = count_params(arch, 7)
    assert (found.bits1, found.bits8) == (binary, stem)
    assert found.total == everything - matrices
    assert found.bytes == binary / 8 + stem + 4 * (everything - matrices - binary - stem)
    assert found.total - count_params(arch).total == net.fc.weight.numel() + net.fc.bias.numel()
