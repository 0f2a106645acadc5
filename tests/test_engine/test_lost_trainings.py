"""What must not end a training's work: a loss that is no number, a full disk, a kill while a checkpoint is written."""
import errno
import os

import pytest

pytest.importorskip('mmengine')

import torch  # noqa: E402
from mmengine.model import BaseModel  # noqa: E402
from mmengine.optim import AmpOptimWrapper, OptimWrapper  # noqa: E402
from mmengine.runner import Runner  # noqa: E402
from torch import nn  # noqa: E402
from torch.utils.data import DataLoader  # noqa: E402

from nasbnn_det.engine.start_checks import check_training  # noqa: E402
from nasbnn_det.models.checkpoint import replacement_checkpoint  # noqa: E402


class Falling(BaseModel):
    """Its loss is NaN from the image 7 on."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(1, 1)

    def forward(self, x, mode='loss'):
        return dict(loss=self.layer(x.float()[:, None]).sum() * torch.where(x >= 7, float('nan'), 1.0).sum())


def runner(work_dir, optimizer=OptimWrapper, **hooks):
    """Three images an epoch, in order."""
    model = Falling()
    made = Runner(
        model, str(work_dir), DataLoader([dict(x=i) for i in range(9)], batch_size=1, sampler=[0, 1, 2, 3]),
        train_cfg=dict(by_epoch=True, max_epochs=4),
        default_hooks=dict(checkpoint=dict(type='CheckpointHook', interval=1, **hooks)),
        optim_wrapper=optimizer(optimizer=torch.optim.SGD(model.parameters(), 1e-3)), experiment_name=work_dir.name)
    check_training(made)
    return made


def epochs(work_dir):
    return sorted(int(path.stem[6:]) for path in work_dir.glob('epoch_*.pth'))


def test_a_loss_that_is_no_number_ends_the_training_and_leaves_the_checkpoints(tmp_path):
    training = runner(tmp_path, max_keep_ckpts=2)

    class Later:
        """Good images for two epochs, then one that is not."""
        epoch = 0

        def __iter__(self):
            self.epoch += 1
            return iter([0, 7] if self.epoch == 3 else [0, 1])

        def __len__(self):
            return 2

    training.train_loop.dataloader.batch_sampler.sampler = Later()
    with pytest.raises(ValueError, match=r"^loss is no finite number in step 6; nothing was saved since '.*epoch_2.pth'"):
        training.train()
    assert epochs(tmp_path) == [1, 2]
    saved = torch.load(tmp_path / 'epoch_2.pth', weights_only=False)['state_dict']
    assert all(value.isfinite().all() for value in saved.values())


@pytest.mark.skipif(not torch.cuda.is_available(), reason='MMEngine scales losses on a GPU only')
def test_with_a_scaled_loss_one_overflow_is_no_end(tmp_path):
    training = runner(tmp_path, AmpOptimWrapper)
    training.train_loop.dataloader.batch_sampler.sampler = [0, 7, 1]
    training.train()
    assert epochs(tmp_path) == [1, 2, 3, 4]


def test_the_only_checkpoint_is_not_deleted_before_the_next_is_there(tmp_path, monkeypatch):
    training = runner(tmp_path, max_keep_ckpts=1)
    save, left = training.save_checkpoint, []

    def watched(*args, **kwargs):
        left.append(epochs(tmp_path))
        save(*args, **kwargs)

    monkeypatch.setattr(training, 'save_checkpoint', watched)
    training.train()
    assert left == [[], [1], [2], [3]]


def test_a_pointer_that_leads_nowhere_is_replaced(tmp_path):
    assert replacement_checkpoint(tmp_path) is None
    for epoch in (2, 9, 10):
        torch.save(dict(epoch=epoch, weights=torch.zeros(100)), tmp_path / f'epoch_{epoch}.pth')
    torch.save({}, tmp_path / 'best_epoch_30.pth')
    pointer = tmp_path / 'last_checkpoint'
    pointer.write_text(str(tmp_path / 'epoch_9.pth'))
    assert replacement_checkpoint(tmp_path) is None
    for text in ('', str(tmp_path / 'epoch_11.pth'), '/moved/epoch_9.pth'):
        pointer.write_text(text)
        assert replacement_checkpoint(tmp_path) == str(tmp_path / 'epoch_10.pth')
    newest = tmp_path / 'epoch_10.pth'
    newest.write_bytes(newest.read_bytes()[:-200])  # killed while it was written
    assert replacement_checkpoint(tmp_path) == str(tmp_path / 'epoch_9.pth')
    pointer.unlink()
    assert replacement_checkpoint(tmp_path) == str(tmp_path / 'epoch_9.pth')


def test_a_full_disk_leaves_the_last_whole_checkpoint(small_disk):
    training = runner(small_disk)
    room = os.statvfs(small_disk)

    class Filling:
        """The disk is full from the third epoch on."""
        epoch = 0

        def __iter__(self):
            self.epoch += 1
            if self.epoch == 3:
                with pytest.raises(OSError), open(small_disk / 'others', 'wb') as file:
                    file.write(bytes(room.f_bsize * room.f_blocks))
            return iter([0, 1])

        def __len__(self):
            return 2

    training.train_loop.dataloader.batch_sampler.sampler = Filling()
    with pytest.raises(OSError) as error:
        training.train()
    assert error.value.errno == errno.ENOSPC
    (small_disk / 'others').unlink()
    found = replacement_checkpoint(small_disk) or (small_disk / 'last_checkpoint').read_text()
    assert torch.load(found, weights_only=False)['meta']['epoch'] == 2
