"""The detector on the command line, and the forms an image may have."""
import json
import subprocess
import sys

import cv2
import numpy as np
import pytest
from PIL import Image

from nasbnn_det.runtime import PackedDetector
from nasbnn_det.runtime.command import find_inputs, main


@pytest.fixture(scope='module')
def file(trained):
    """A packed detector that finds something everywhere."""
    return trained[2] / 'd.safetensors'


@pytest.fixture(scope='module')
def photo(tmp_path_factory):
    """A wide image, of which much is padded."""
    path = tmp_path_factory.mktemp('images') / 'straße.png'
    pixels = np.random.default_rng(0).integers(0, 256, (60, 180, 3), dtype=np.uint8)
    path.write_bytes(cv2.imencode('.png', pixels)[1].tobytes())
    return path


def test_forms_of_an_image(file, photo):
    detector = PackedDetector(file)
    pixels = cv2.imdecode(np.fromfile(photo, np.uint8), cv2.IMREAD_COLOR)
    want = detector(pixels)
    assert len(want.scores) > 3
    for form in (str(photo), photo, Image.open(photo)):
        assert all(np.array_equal(a, b) for a, b in zip(detector(form), want))
    several = detector([photo, pixels])
    assert isinstance(several, list) and all(np.array_equal(several[1][i], want[i]) for i in range(3))
    with pytest.raises(ValueError, match='or a Pillow image; this is of type bytes'):
        detector(photo.read_bytes())
    with pytest.raises(FileNotFoundError, match='is a folder; give a file'):
        detector(photo.parent)


def test_boxes_end_at_the_border(file, photo):
    found = PackedDetector(file)(photo)
    assert bool((found.boxes >= 0).all()) and bool((found.boxes[:, 0::2] <= 180).all())
    assert bool((found.boxes[:, 1::2] <= 60).all()) and bool((found.boxes[:, 2:] > found.boxes[:, :2]).all())


def test_folders_pictures_and_rows(file, photo, tmp_path, capsys):
    (tmp_path / 'in' / 'deep').mkdir(parents=True)
    for name in ('a.png', 'deep/a.png', 'notes.txt'):
        (tmp_path / 'in' / name).write_bytes(photo.read_bytes())
    (tmp_path / 'in' / 'cut.jpg').write_bytes(photo.read_bytes()[:100])
    with pytest.raises(SystemExit) as ended:
        main(['detect', str(file), str(tmp_path / 'in'), '--out', str(tmp_path / 'out'), '--json',
              str(tmp_path / 'rows.json'), '--score-thr', '0.2'])
    assert ended.value.code == 1 and 'left out: image' in capsys.readouterr().err
    rows = json.loads((tmp_path / 'rows.json').read_text())
    assert {row['file'] for row in rows} == {str(tmp_path / 'in' / name) for name in ('a.png', 'deep/a.png')}
    assert sorted(p.name for p in (tmp_path / 'out').iterdir()) == ['a.jpg', 'a_2.jpg']
    found = PackedDetector(file)(photo, 0.2)
    first = rows[0]
    x, y, width, height = first['bbox']
    assert [x, y, x + width, y + height] == pytest.approx(found.boxes[0].tolist(), abs=0.02)
    assert first['category'] == PackedDetector(file).classes[found.labels[0]] and 'frame' not in first
    with pytest.raises(SystemExit, match="a.jpg' is there already"):
        main(['detect', str(file), str(tmp_path / 'in' / 'a.png'), '--out', str(tmp_path / 'out')])


def test_videos(file, tmp_path, capsys):
    path = tmp_path / 'street.avi'
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'MJPG'), 10, (64, 48))
    for value in range(4):
        writer.write(np.full((48, 64, 3), 60 * value, np.uint8))
    writer.release()
    main(['detect', str(file), str(path), '--out', str(tmp_path / 'out'), '--score-thr', '0.1'])
    rows = json.loads(capsys.readouterr().out)
    assert {row['frame'] for row in rows} <= {0, 1, 2, 3} and len({row['frame'] for row in rows}) > 1
    assert (tmp_path / 'out' / 'street.mp4').stat().st_size > 500


def test_inputs_that_are_none(tmp_path):
    with pytest.raises(FileNotFoundError, match='give images, videos or folders'):
        find_inputs([str(tmp_path / 'missing.jpg')])
    (tmp_path / 'a.txt').touch()
    with pytest.raises(ValueError, match='no image and no video by its ending'):
        find_inputs([str(tmp_path / 'a.txt')])
    with pytest.raises(ValueError, match='no images or videos in'):
        find_inputs([str(tmp_path)])


def test_as_a_module_one_sentence(file):
    command = [sys.executable, '-m', 'nasbnn_det', 'detect', str(file), 'nowhere']
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1 and done.stdout == ''
    assert [line for line in done.stderr.splitlines() if 'error' in line] == [
        "error: 'nowhere' does not exist; give images, videos or folders of them"]
