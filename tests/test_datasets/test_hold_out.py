"""Holding out training images for a search."""
import numpy as np
import pytest

from nasbnn_det.datasets.hold_out import hold_out


@pytest.fixture
def folder(tmp_path):
    """Two classes of five and seven images, and a file that is none."""
    for name, number in (('b', 5), ('a', 7)):
        (tmp_path / name).mkdir()
        for i in range(number):
            (tmp_path / name / f'{i}.JPEG').touch()
    (tmp_path / 'a' / 'notes.txt').touch()
    return tmp_path


def test_splits_every_class(folder):
    kept, held = hold_out(folder, 3, np.random.default_rng(0))
    assert len(held) == 6 and len(kept) == 6 and not set(kept) & set(held)
    assert sum(line.startswith('a/') and line.endswith(' 0') for line in held) == 3
    assert sum(line.startswith('b/') and line.endswith(' 1') for line in held) == 3
    assert hold_out(folder, 3, np.random.default_rng(0)) == (kept, held)
    assert hold_out(folder, 3, np.random.default_rng(1)) != (kept, held)


def test_mmpretrain_reads_the_lists(folder):
    CustomDataset = pytest.importorskip('mmpretrain.datasets').CustomDataset
    kept, _ = hold_out(folder, 3, np.random.default_rng(0))
    (folder / 'train.txt').write_text(''.join(line + '\n' for line in kept))
    data = CustomDataset(data_root=str(folder), ann_file='train.txt', data_prefix='.', pipeline=[])
    assert len(data) == 6 and set(data.get_gt_labels()) == {0, 1}


@pytest.mark.parametrize('per_class, words', [(5, 'has 5 images; more than 5'), (0, 'at least one of both')])
def test_too_few_images_are_named(folder, per_class, words):
    with pytest.raises(ValueError, match=words):
        hold_out(folder, per_class, np.random.default_rng(0))


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match='is no folder'):
        hold_out(tmp_path / 'nowhere', 3, np.random.default_rng(0))
