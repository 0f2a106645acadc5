"""A set of the user's own: found in a folder, and trained by one command."""
import json
import subprocess
import sys

import cv2
import numpy as np
import pytest

from nasbnn_det.datasets.own_set import find_own_set

NAMES = ('nut', 'bolt', 'washer')


def content(images, names=NAMES):
    """A COCO file's content: bright squares, one an image."""
    return dict(
        images=[dict(id=i, file_name=f'{i}.png', width=64, height=64) for i in range(images)],
        categories=[dict(id=5 + i, name=name) for i, name in enumerate(names)],
        annotations=[dict(id=i + 1, image_id=i, category_id=5 + i % len(names), bbox=[8, 8, 32, 32], area=1024, iscrowd=0)
                     for i in range(images)])


def write(root, images, ann_file, made, names=NAMES):
    """Images and annotations of a split."""
    (root / images).mkdir(parents=True, exist_ok=True)
    (root / ann_file).parent.mkdir(parents=True, exist_ok=True)
    (root / ann_file).write_text(json.dumps(content(made, names)))
    for i in range(made):
        image = np.full((64, 64, 3), 60, np.uint8)
        image[8:40, 8:40, i % 3] = 220
        cv2.imwrite(str(root / images / f'{i}.png'), image)
    return root


LAYOUTS = {
    'coco': ('train', 'annotations/instances_train.json', 'val', 'annotations/instances_val.json'),
    'coco2017': ('train2017', 'annotations/instances_train2017.json', 'val2017', 'annotations/instances_val2017.json'),
    'images': ('images/train', 'annotations/train.json', 'images/val', 'annotations/val.json'),
    'one folder': ('images', 'train.json', 'images', 'val.json'),
    'web site': ('train', 'train/_annotations.coco.json', 'valid', 'valid/_annotations.coco.json'),
}


@pytest.mark.parametrize('layout', LAYOUTS)
def test_known_layouts(tmp_path, layout):
    train, train_file, val, val_file = LAYOUTS[layout]
    write(write(tmp_path, train, train_file, 5), val, val_file, 3)
    own = find_own_set(tmp_path)
    assert own.classes == NAMES
    assert (own.train.ann_file, own.train.num_images, own.train.num_boxes) == (train_file, 5, 5)
    assert (own.val.ann_file, own.val.num_images) == (val_file, 3)
    for split in (own.train, own.val):
        assert (tmp_path / split.images / '0.png').is_file()


def test_what_does_not_fit(tmp_path):
    with pytest.raises(FileNotFoundError, match='is no folder'):
        find_own_set(tmp_path / 'missing')
    with pytest.raises(FileNotFoundError, match='no annotation file of the train images .* name it by --train'):
        find_own_set(tmp_path)
    write(tmp_path, 'train', 'a/mine.json', 2)
    write(tmp_path, 'val', 'val.json', 2, ('nut', 'washer', 'bolt'))
    with pytest.raises(ValueError, match='both must have the same, in the same order'):
        find_own_set(tmp_path, train='a/mine.json')
    (tmp_path / 'a' / 'mine.json').write_text(json.dumps(dict(content(1), images=[
        dict(id=0, file_name='away/0.png', width=64, height=64)])))
    write(tmp_path, 'val', 'val.json', 2)
    with pytest.raises(FileNotFoundError, match="image 'away/0.png' of .* is in none of the folders 'a', '.', 'train'"):
        find_own_set(tmp_path, train='a/mine.json')


def test_epochs_follow_from_time_and_images():
    pytest.importorskip('mmdet')
    from nasbnn_det.apis.own_set import Schedule, choose_schedule
    assert choose_schedule(1619, 8, minutes=25, seconds=0.3) == Schedule(steps=203, epochs=24, warmup=243, val_interval=4)
    assert choose_schedule(50, 8, minutes=25, seconds=0.3) == Schedule(steps=7, epochs=300, warmup=105, val_interval=50)
    assert choose_schedule(50, 8, epochs=2) == Schedule(steps=7, epochs=2, warmup=1, val_interval=1)
    with pytest.raises(ValueError, match='1 minutes are not enough for one epoch of 203 steps at 0.30 s'):
        choose_schedule(1619, 8, minutes=1, seconds=0.3)


def own(*args):
    return subprocess.run([sys.executable, 'tools/train_own.py', *map(str, args)], capture_output=True, text=True)


@pytest.mark.slow
def test_one_command_from_a_folder_to_map(tmp_path):
    pytest.importorskip('mmdet')
    data = write(write(tmp_path / 'data', 'train', 'train.json', 18), 'val', 'val.json', 4)
    done = own(data, '--size', 64, '--epochs', 3, '--out', tmp_path / 'run')
    assert done.returncode == 0, done.stderr[-2000:]
    assert '18 images with 18 objects to train on, 4 with 4 to evaluate on; 3 classes: nut, bolt, washer' in done.stdout
    assert '3 epochs of 3 steps at ' in done.stdout and 'minutes on this machine' in done.stdout
    assert 'coco/bbox_mAP' in done.stdout and (tmp_path / 'run' / 'epoch_3.pth').is_file()
    again = own(data, '--out', tmp_path / 'run')
    assert again.returncode == 1 and "run.py' is there already; go on with it by" in again.stderr
