"""Candidates of a search on packed layers: the same statistics and scores as in their float form."""
import copy

import numpy as np
import pytest
import torch

from nasbnn_det.arch import Arch, get_space
from nasbnn_det.supernet import InferenceSubnet, PackedInferenceSubnet, Supernet, extract_subnet


@pytest.fixture
def subnet():
    torch.manual_seed(0)
    supernet = Supernet(get_space('tiny'), 10).eval()
    return extract_subnet(supernet, Arch.random(supernet.space, np.random.default_rng(0)))


def test_recalibration_and_logits_agree_with_the_float_form(subnet, isa):
    plain, packed = InferenceSubnet(copy.deepcopy(subnet)), PackedInferenceSubnet(subnet)
    batches = [torch.randn(6, 3, 48, 48) for _ in range(2)]
    plain.recalibrate(batches)
    packed.recalibrate(batches)
    norms = [module for module in plain.subnet.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    assert len(norms) == len(packed.bns)
    for want, got in zip(norms, packed.bns):
        deviation = want.running_var.sqrt()
        assert ((got.running_mean - want.running_mean).abs() / deviation).max() < 1e-3
        assert (got.running_var / want.running_var - 1).abs().max() < 1e-2
    images = torch.randn(8, 3, 48, 48)
    # A sign may turn where a number is zero up to rounding, in few images.
    assert ((packed(images) - plain(images)).abs().amax(1) < 1e-3).sum() >= 6


def test_recalibration_needs_a_batch(subnet):
    with pytest.raises(ValueError, match='needs at least one batch'):
        PackedInferenceSubnet(subnet).recalibrate([])
