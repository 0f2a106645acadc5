"""LoadImage loads what mmcv's transform loads, and names the file it cannot load."""
import zlib

import cv2
import numpy as np
import pytest

from nasbnn_det.datasets.shapes import SceneParams, render_scene
from nasbnn_det.image_files import is_truncated
from nasbnn_det.runtime.preprocess import read_image

pytest.importorskip('mmcv')

from mmcv.transforms import LoadImageFromFile  # noqa: E402

from nasbnn_det.datasets.transforms import LoadImage  # noqa: E402
from nasbnn_det.registry import TRANSFORMS  # noqa: E402

FORMATS = ('.jpg', '.png', '.bmp', '.webp')


@pytest.fixture(scope='module')
def encoded():
    """Bytes of one image in several formats."""
    image, _ = render_scene(SceneParams(), 0, 'train', 0)
    return {suffix: cv2.imencode(suffix, image)[1].tobytes() for suffix in FORMATS}


@pytest.fixture
def save(tmp_path):
    """Writes bytes to a file and returns its path."""

    def write(name, content):
        (tmp_path / name).write_bytes(content)
        return str(tmp_path / name)

    return write


@pytest.mark.parametrize('options', [{}, dict(to_float32=True), dict(color_type='grayscale'),
                                     dict(imdecode_backend='pillow')], ids=str)
@pytest.mark.parametrize('suffix', FORMATS)
def test_same_as_mmcv(encoded, save, suffix, options):
    path = save('image' + suffix, encoded[suffix])
    ours = TRANSFORMS.build(dict(type='nasbnn_det.LoadImage', **options))(dict(img_path=path))
    theirs = LoadImageFromFile(**options)(dict(img_path=path))
    np.testing.assert_array_equal(ours['img'], theirs['img'])
    assert ours['img'].dtype == theirs['img'].dtype
    assert ours['img_shape'] == ours['ori_shape'] == theirs['img_shape'] == (128, 128)


@pytest.mark.parametrize('suffix', ['.jpg', '.png'])
def test_bytes_after_the_end_are_no_fault(encoded, save, suffix):
    path = save('image' + suffix, encoded[suffix] + bytes(1000) + b'more')
    assert LoadImage()(dict(img_path=path))['img'].shape == (128, 128, 3)


@pytest.mark.parametrize('backend', ['cv2', 'pillow'])
@pytest.mark.parametrize('part', [.05, .5, .95])
@pytest.mark.parametrize('suffix', FORMATS)
def test_truncated(encoded, save, suffix, part, backend):
    content = encoded[suffix]
    path = save('image' + suffix, content[:int(part * len(content))])
    with pytest.raises(ValueError, match='truncated or no image.*complete image.*JPEG or PNG') as error:
        LoadImage(imdecode_backend=backend)(dict(img_path=path))
    assert path in str(error.value)


@pytest.mark.parametrize('backend', ['cv2', 'pillow'])
@pytest.mark.parametrize('content', [b'no image at all', b'\xff\xd8', b'\x00' * 4096], ids=['text', 'start', 'zeros'])
def test_no_image(save, content, backend):
    with pytest.raises(ValueError, match='truncated or no image'):
        LoadImage(imdecode_backend=backend)(dict(img_path=save('image.jpg', content)))


def huge_png(width, height):
    """A file of a few bytes that says it holds so many pixels, and ends as a whole one does."""
    def chunk(kind, data):
        return len(data).to_bytes(4, 'big') + kind + data + zlib.crc32(kind + data).to_bytes(4, 'big')

    head = width.to_bytes(4, 'big') + height.to_bytes(4, 'big') + b'\x01\0\0\0\0'
    return b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', head) + chunk(b'IDAT', zlib.compress(b'')) + chunk(b'IEND', b'')


@pytest.mark.parametrize('rest', [b'', b'more'])
def test_more_pixels_than_can_be_read(save, rest):
    path = save('image.png', huge_png(40000, 30000) + rest)
    for read in (read_image, lambda path: LoadImage()(dict(img_path=path))):
        with pytest.raises(ValueError, match="image '.*image.png'"):
            read(path)
    assert is_truncated(huge_png(40000, 30000) + b'more')


def test_empty(save):
    with pytest.raises(ValueError, match='is empty: it must be a complete image'):
        LoadImage()(dict(img_path=save('image.jpg', b'')))


def test_missing(tmp_path):
    path = tmp_path / 'none.jpg'
    with pytest.raises(FileNotFoundError, match='does not exist.*data_prefix') as error:
        LoadImage()(dict(img_path=str(path)))
    assert str(path) in str(error.value)


def test_folder(tmp_path):
    with pytest.raises(ValueError, match='Is a directory'):
        LoadImage()(dict(img_path=str(tmp_path)))


def test_ignore_empty(tmp_path, save):
    transform = LoadImage(ignore_empty=True)
    assert transform(dict(img_path=str(tmp_path / 'none.jpg'))) is None
    assert transform(dict(img_path=save('image.jpg', b'no image'))) is None
