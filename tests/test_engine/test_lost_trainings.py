"""What must not end a training's work: a loss that is no number, a broken image, a full or read-only disk, a kill."""
import errno
import os
import subprocess

import pytest

pytest.importorskip('mmengine')

import torch  # noqa: E402
from mmengine.model import BaseModel  # noqa: E402
from mmengine.optim import AmpOptimWrapper, OptimWrapper  # noqa: E402
from mmengine.runner import Runner  # noqa: E402
from torch import nn  # noqa: E402
from torch.utils.data import DataLoader, Dataset  # noqa: E402

from nasbnn_det.cli import run_tool as end_as_a_tool  # noqa: E402
from nasbnn_det.datasets.transforms import LoadImage  # noqa: E402
from nasbnn_det.engine.start_checks import check_training  # noqa: E402
from nasbnn_det.models.checkpoint import replacement_checkpoint  # noqa: E402


class Falling(BaseModel):
    """Its loss is NaN from the image 7 on."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(1, 1)

    def forward(self, x, mode='loss'):
        return dict(loss=self.layer(x.float()[:, None]).sum() * torch.where(x >= 7, float('nan'), 1.0).sum())


def runner(work_dir, optimizer=OptimWrapper, loader=None, resume=False, **hooks):
    """Four images an epoch, in order, and four epochs."""
    model = Falling()
    loader = loader or DataLoader([dict(x=i) for i in range(9)], batch_size=1, sampler=[0, 1, 2, 3])
    made = Runner(
        model, str(work_dir), loader, train_cfg=dict(by_epoch=True, max_epochs=4), resume=resume,
        default_hooks=dict(checkpoint=dict(type='CheckpointHook', interval=1, **hooks)),
        optim_wrapper=optimizer(optimizer=torch.optim.SGD(model.parameters(), 1e-3)),
        experiment_name=f'{work_dir.parent.name}-{work_dir.name}-{resume}')
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


@pytest.fixture
def closed(tmp_path):
    """``closed(folder)`` makes a folder read-only, for root too, until ``umount``; what is open stays so."""
    folders = []

    def close(folder):
        for options in (['--bind', folder], ['-o', 'remount,bind,ro']):
            done = subprocess.run(['mount', *options, folder], capture_output=True)
            if done.returncode:
                pytest.skip('may not mount a file system')
        folders.append(folder)

    yield close
    for folder in folders:
        subprocess.run(['umount', '-l', folder], check=False)


class Meets:
    """A sampler: something happens before the third epoch."""

    def __init__(self, what, images):
        self.what, self.images, self.epoch = what, images, 0

    def __iter__(self):
        self.epoch += 1
        if self.epoch == 3:
            self.what()
        return iter(range(self.images))

    def __len__(self):
        return self.images


def ends_in_a_sentence(training, capsys):
    with pytest.raises(SystemExit) as end:
        end_as_a_tool(training.train)
    said = capsys.readouterr().err.splitlines()[-1]
    assert end.value.code == 1 and said.startswith('error: ')
    return said


def goes_on_from_the_second_epoch(work_dir, **kwargs):
    training = runner(work_dir, resume=True, **kwargs)
    training.train()
    assert training.message_hub.get_scalar('train/time').current() > 0
    assert 'resumed epoch: 2' in ''.join(path.read_text() for path in work_dir.glob('*/*.log'))
    assert training.epoch == 4 and (work_dir / 'epoch_4.pth').is_file()


def test_a_folder_that_turns_read_only_leaves_the_last_whole_checkpoint(tmp_path, closed, capsys):
    work_dir = tmp_path / 'work'
    training = runner(work_dir)
    training.train_loop.dataloader.batch_sampler.sampler = Meets(lambda: closed(work_dir), 4)
    assert 'Read-only file system' in ends_in_a_sentence(training, capsys)
    assert epochs(work_dir) == [1, 2]
    subprocess.run(['umount', '-l', work_dir], check=True)
    goes_on_from_the_second_epoch(work_dir)


class Photographs(Dataset):
    """Image files."""

    def __init__(self, files):
        self.files, self.load = files, LoadImage()

    def __len__(self):
        return len(self.files)

    def __getitem__(self, index):
        return dict(x=float(self.load(dict(img_path=self.files[index]))['img'].mean() / 100))


@pytest.mark.parametrize('workers', [0, 1])
def test_an_image_that_is_cut_off_while_training_is_named_and_nothing_is_lost(workers, tmp_path, capsys):
    import cv2
    import numpy as np
    files = [tmp_path / f'{i}.jpg' for i in range(3)]
    for file in files:
        cv2.imwrite(str(file), np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
    whole = files[1].read_bytes()
    loader = DataLoader(Photographs(files), batch_size=1, num_workers=workers)
    loader.batch_sampler.sampler = Meets(lambda: files[1].write_bytes(whole[:len(whole) // 2]), 3)
    work_dir = tmp_path / 'work'
    said = ends_in_a_sentence(runner(work_dir, loader=loader), capsys)
    assert f"image '{files[1]}' is truncated or no image" in said
    assert epochs(work_dir) == [1, 2]
    files[1].write_bytes(whole)
    goes_on_from_the_second_epoch(work_dir, loader=DataLoader(Photographs(files), batch_size=1, num_workers=workers))
