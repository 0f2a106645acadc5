"""Images that grow during a training."""
from types import SimpleNamespace

import pytest
import torch

pytest.importorskip('mmengine')

from nasbnn_det.engine.hooks import GrowingImagesHook  # noqa: E402


def shown(hook, iteration, images):
    """What a step of a training of 100 iterations gets to see."""
    batch = dict(inputs=images)
    hook.before_train_iter(SimpleNamespace(iter=iteration, max_iters=100), 0, batch)
    return batch['inputs']


def test_sizes_follow_the_iteration_alone():
    images = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    hook = GrowingImagesHook([(0.4, 32), (0.7, 48)])
    sizes = [shown(hook, i, images).shape[-1] for i in (0, 39, 40, 69, 70, 99)]
    assert sizes == [32, 32, 48, 48, 64, 64]
    assert shown(hook, 80, images) is images


def test_shrunk_images_are_means_of_the_same_type():
    images = torch.zeros(2, 3, 64, 64, dtype=torch.uint8)
    images[..., 32:] = 255
    hook = GrowingImagesHook([(0.5, 16)])
    small = shown(hook, 0, images)
    assert small.dtype == torch.uint8 and small.shape == (2, 3, 16, 16)
    assert not small[..., :6].any() and bool((small[..., -6:] == 255).all())
    assert torch.equal(torch.stack(shown(hook, 0, list(images))), small)
    noise = torch.randn(1, 3, 64, 64)
    assert shown(hook, 0, noise).std() < 0.5 * noise.std()


def test_small_images_stay():
    images = torch.rand(1, 3, 24, 20)
    assert shown(GrowingImagesHook([(1.0, 32)]), 0, images) is images


@pytest.mark.parametrize('stages', [[], [(0.5, 32), (0.4, 48)], [(0.2, 48), (0.4, 32)], [(1.2, 32)], [(0, 32)], [(0.5, 4)]])
def test_stages_that_make_no_sense(stages):
    with pytest.raises(ValueError, match=r'allowed are pairs \(share of the iterations, size in pixels\)'):
        GrowingImagesHook(stages)
