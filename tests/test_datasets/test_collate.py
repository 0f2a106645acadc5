"""Batches that are stacked where they are made."""
import pytest
import torch

pytest.importorskip('mmpretrain')

from mmengine.runner import Runner  # noqa: E402
from mmpretrain.structures import DataSample  # noqa: E402


class Images(torch.utils.data.Dataset):
    """Images of given sizes."""

    def __init__(self, *sizes):
        self.sizes = sizes

    def __len__(self):
        return len(self.sizes)

    def __getitem__(self, i):
        return dict(inputs=torch.full((3, *self.sizes[i]), i, dtype=torch.uint8), data_samples=DataSample().set_gt_label(i))


def loader(*sizes, workers=0):
    return Runner.build_dataloader(dict(
        batch_size=2, num_workers=workers, dataset=Images(*sizes), sampler=dict(type='DefaultSampler', shuffle=False),
        collate_fn=dict(type='nasbnn_det.stack_images')))


def test_one_tensor_a_batch():
    batch = next(iter(loader((8, 6), (8, 6))))
    assert batch['inputs'].shape == (2, 3, 8, 6) and batch['inputs'][1].unique() == 1
    assert [sample.gt_label.item() for sample in batch['data_samples']] == [0, 1]


@pytest.mark.parametrize('workers', [0, 1])
def test_images_of_several_sizes(workers):
    with pytest.raises(ValueError, match='images of a batch are 6 x 8 and 9 x 8 pixels large; the pipeline must bring all'):
        next(iter(loader((8, 6), (8, 9), workers=workers)))
