"""Small made sets, shared by all tests here."""
import json

import pytest

from nasbnn_det.datasets.shapes import write_shapes_coco

SMALL = dict(num_train=60, num_val=20, image_size=96, num_cls_train=20, num_cls_val=5, cls_size=32, seed=7)


@pytest.fixture(scope='session')
def parameters():
    """Parameters of the small set."""
    return dict(SMALL)


@pytest.fixture(scope='session')
def shapes_root(tmp_path_factory):
    """Folder of the small set; read it only."""
    root = tmp_path_factory.mktemp('shapes') / 'set'
    assert write_shapes_coco(root, **SMALL)
    return root


@pytest.fixture(scope='session')
def val_text(shapes_root):
    """The validation annotation file's text."""
    return (shapes_root / 'annotations' / 'instances_val.json').read_text()


@pytest.fixture
def content(val_text):
    """The validation annotation file's content, to be changed at will."""
    return json.loads(val_text)
