"""Sets of other formats become COCO files: the same objects, whichever the format."""
import json

import cv2
import pytest
from detection_sources import (
    NAMES,
    SOURCES,
    TRUTH,
    coco_content,
    convert,
    voc_xml,
    write_coco_folders,
    write_data_yaml,
    write_image,
    write_labelme,
    write_roboflow,
    write_text,
    yolo_lines,
)
from PIL import Image

from nasbnn_det.datasets import read_coco_file
from nasbnn_det.datasets.converters import copy_images, read_voc, write_coco
from nasbnn_det.datasets.converters.labelled import image_size

TOOL = 'tools/dataset_converters/to_coco.py'


def as_truth(path):
    """A COCO file in the form of TRUTH."""
    content = read_coco_file(path)
    names = {category['id']: category['name'] for category in content['categories']}
    images = {}
    for image in content['images']:
        boxes = [(names[a['category_id']], *a['bbox'][:2], a['bbox'][0] + a['bbox'][2], a['bbox'][1] + a['bbox'][3])
                 for a in content['annotations'] if a['image_id'] == image['id']]
        images[image['file_name'].rpartition('/')[2].partition('.')[0]] = ((image['width'], image['height']), boxes)
    return images


@pytest.mark.parametrize('name', SOURCES)
def test_every_format_gives_the_same_set(name, tmp_path):
    root = SOURCES[name](tmp_path / 'set')
    labelled = convert(name, root, names=NAMES)
    assert labelled.names == NAMES and list(labelled.splits) == ['train', 'val']
    paths = write_coco(labelled, root, tmp_path / 'out')
    for split, images in TRUTH.items():
        found = as_truth(paths[split])
        assert found.keys() == images.keys()
        for image, (size, boxes) in images.items():
            assert found[image][0] == size and len(found[image][1]) == len(boxes)
            for box, wanted in zip(sorted(found[image][1]), sorted(boxes)):
                assert box[0] == wanted[0] and box[1:] == pytest.approx(wanted[1:], abs=1e-3)
    ids = [image['id'] for path in paths.values() for image in json.loads(path.read_text())['images']]
    assert len(set(ids)) == len(ids) == 3


@pytest.mark.parametrize('name', SOURCES)
def test_mmdetection_loads_the_files(name, tmp_path, run_tool):
    pytest.importorskip('mmdet')
    from mmdet.datasets import CocoDataset
    root = SOURCES[name](tmp_path / 'set')
    done = run_tool(TOOL, name.partition('_')[0], root, '--out', tmp_path / 'out', '--classes', *NAMES)
    assert done.returncode == 0, done.stderr
    line = done.stdout.splitlines()[-1]
    settings = eval(f'dict({line.removeprefix("in a config: ")})')
    assert settings.pop('num_classes') == 3
    data = CocoDataset(ann_file=str(tmp_path / 'out' / 'instances_train.json'), pipeline=[], **settings)
    assert len(data) == 2
    assert all(cv2.imread(data.get_data_info(i)['img_path']) is not None for i in range(2))
    labels = sorted(instance['bbox_label'] for i in range(2) for instance in data.get_data_info(i)['instances'])
    assert labels == [0, 1]


def test_what_is_odd_is_told_in_a_line_each(tmp_path):
    root = write_data_yaml(tmp_path / 'set')
    lines = yolo_lines((60, 40), [('cat', -10, -8, 30, 20), ('dog', 70, 4, 80, 10), ('dog', 1, 1, 1, 5)])
    polygon = '2 0.1 0.2 0.5 0.2 0.3 0.9\n'
    write_text(root / 'train' / 'labels' / 'a.txt', lines + 2 * polygon + '\n')
    write_text(root / 'train' / 'labels' / 'gone.txt', '0 0.5 0.5 0.1 0.1\n')
    labelled = convert('yolo', root)
    boxes = {box.name: box.corners for box in labelled.splits['train'][0].boxes}
    assert boxes == {'cat': pytest.approx((0, 0, 30, 20), abs=1e-3), 'bird': pytest.approx((6, 8, 30, 36), abs=1e-3)}
    assert sorted(labelled.notes.lines()) == [
        "'data.yaml' names '../test/images' for test, which is not there", '1 boxes outside of their image left out',
        '1 boxes that stuck out of their image cut at its edge', '1 boxes that were there twice kept once',
        '1 boxes without width or height left out', '1 images without a label file taken as images without objects',
        '1 label files without an image left out', '2 polygons or turned boxes became the upright boxes around them']


def test_key_points_behind_a_box_are_no_polygon(tmp_path):
    root = write_data_yaml(tmp_path)
    with open(root / 'data.yaml', 'a') as file:
        file.write('kpt_shape: [2, 2]\n')
    write_text(root / 'train' / 'labels' / 'a.txt', '1 0.5 0.5 0.5 0.5 0.1 0.1 0.9 0.9\n')
    assert convert('yolo', root).splits['train'][0].boxes[0].corners == pytest.approx((15, 10, 45, 30))


def test_difficult_objects_are_crowds(tmp_path):
    size, boxes = TRUTH['train']['a']
    write_image(tmp_path / 'a.jpg', size)
    write_text(tmp_path / 'a.xml', voc_xml(size, boxes[:1], '<difficult>1</difficult>'))
    labelled = read_voc(tmp_path)
    path = write_coco(labelled, tmp_path, tmp_path / 'out')['train']
    assert [a['iscrowd'] for a in read_coco_file(path)['annotations']] == [1]
    assert "1 'difficult' objects became 'iscrowd': neither learned nor missed" in labelled.notes.lines()


@pytest.mark.parametrize('database, first_pixel, wanted', [
    ('The VOC2007 Database', None, (10, 4, 30, 20)), ('Unknown', None, (11, 5, 30, 20)), ('Unknown', 1, (10, 4, 30, 20)),
    ('The VOC2007 Database', 0, (11, 5, 30, 20))])
def test_voc_s_own_pixels_count_from_one(database, first_pixel, wanted, tmp_path):
    size, boxes = TRUTH['train']['a']
    write_image(tmp_path / 'a.jpg', size)
    write_text(tmp_path / 'a.xml', voc_xml(size, boxes[:1], shift=1, database=database))
    assert read_voc(tmp_path, first_pixel=first_pixel).splits['train'][0].boxes[0].corners == wanted


def test_labelme_s_other_shapes(tmp_path):
    root = write_labelme(tmp_path)
    content = json.loads((root / 'train' / 'a.json').read_text())
    content['shapes'] = [dict(label='cat', points=[[20, 20], [20, 25]], shape_type='circle'),
                         dict(label='dog', points=[[1, 2], [9, 2], [5, 8]], shape_type='polygon'),
                         dict(label='dog', points=[[1, 2]], shape_type='point')]
    write_text(root / 'train' / 'a.json', json.dumps(content))
    labelled = convert('labelme', root)
    assert [box.corners for box in labelled.splits['train'][0].boxes] == [(15, 15, 25, 25), (1, 2, 9, 8)]
    assert "1 shapes of the kind 'point', which have no extent, left out" in labelled.notes.lines()


def test_a_heading_of_categories_goes_and_the_rest_stays(tmp_path):
    labelled = convert('coco', write_roboflow(tmp_path))
    assert labelled.names == NAMES
    assert labelled.notes.lines() == ["category 'pets', a heading without objects, left out"]
    content = coco_content(TRUTH['train'])
    content['annotations'][0]['category_id'] = 0  # an object: no mere heading
    write_text(tmp_path / 'train' / '_annotations.coco.json', json.dumps(content))
    assert convert('coco', tmp_path).names == ('pets', *NAMES)


def test_one_coco_file_is_enough(tmp_path):
    root = write_coco_folders(tmp_path)
    labelled = convert('coco', root / 'annotations' / 'instances_val.json')
    assert {split: [image.path.name for image in images] for split, images in labelled.splits.items()} == dict(val=['c.jpg'])


def test_masks_of_coco_files_stay(tmp_path):
    root = write_roboflow(tmp_path)
    content = coco_content(TRUTH['train'])
    content['annotations'][0]['segmentation'] = [[10, 4, 30, 4, 30, 20]]
    write_text(root / 'train' / '_annotations.coco.json', json.dumps(content))
    path = write_coco(convert('coco', root), root, tmp_path / 'out')['train']
    assert read_coco_file(path)['annotations'][0]['segmentation'] == [[10, 4, 30, 4, 30, 20]]


@pytest.mark.parametrize('suffix', ['jpg', 'png', 'webp'])
def test_the_size_of_a_turned_image_is_that_which_is_loaded(suffix, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new('RGB', (30, 20)).save(tmp_path / f'a.{suffix}', exif=exif)
    assert image_size(tmp_path / f'a.{suffix}') == cv2.imread(str(tmp_path / f'a.{suffix}')).shape[1::-1]


def test_only_its_own_unchanged_files_are_replaced(tmp_path, run_tool):
    root = write_data_yaml(tmp_path / 'set')
    file = root / 'annotations' / 'instances_train.json'
    assert run_tool(TOOL, 'yolo', root).returncode == 0
    first = file.read_text()
    assert run_tool(TOOL, 'yolo', root).returncode == 0 and file.read_text() == first
    for foreign in (first.replace('"width": 60', '"width": 61'), '{}', 'not JSON'):
        file.write_text(foreign)
        done = run_tool(TOOL, 'yolo', root)
        assert done.returncode == 1 and 'so it is not replaced' in done.stderr
        assert file.read_text() == foreign


def test_a_second_run_does_not_read_what_the_first_wrote(tmp_path, run_tool):
    root = tmp_path / 'set'
    for name, (size, _) in TRUTH['train'].items():
        write_image(root / 'images' / f'{name}.jpg', size)
    write_text(root / 'annotations' / 'instances_default.json', json.dumps(coco_content(TRUTH['train'])))
    for _ in range(2):
        done = run_tool(TOOL, 'coco', root)
        assert done.returncode == 0, done.stderr
    assert len(list((root / 'annotations').iterdir())) == 2


def test_images_are_copied_when_asked_and_never_over_others(tmp_path, run_tool):
    root = write_data_yaml(tmp_path / 'set')
    copy = tmp_path / 'copy'
    for _ in range(2):
        done = run_tool(TOOL, 'yolo', root, '--copy-to', copy)
        assert done.returncode == 0, done.stderr
    assert (copy / 'train' / 'a.jpg').read_bytes() == (root / 'train' / 'images' / 'a.jpg').read_bytes()
    names = [image['file_name'] for image in read_coco_file(copy / 'annotations' / 'instances_val.json')['images']]
    assert names == ['val/c.jpg']
    (copy / 'val' / 'c.jpg').write_bytes(b'mine')
    with pytest.raises(ValueError, match="that isn't copied over it"):
        copy_images(convert('yolo', root), copy)
    assert (copy / 'val' / 'c.jpg').read_bytes() == b'mine'


def test_images_are_not_copied_into_the_source(tmp_path, run_tool):
    root = write_data_yaml(tmp_path / 'set')
    for folder in (root, root / 'copy'):
        done = run_tool(TOOL, 'yolo', root, '--copy-to', folder)
        assert done.returncode == 1 and "in the source's folder" in done.stderr, done.stderr
    assert not (root / 'annotations').exists() and not (root / 'copy').exists()


def test_images_outside_of_the_data_root_are_named(tmp_path):
    labelled = convert('yolo', write_data_yaml(tmp_path / 'set'))
    with pytest.raises(ValueError, match='is not below the folder'):
        write_coco(labelled, tmp_path / 'other', tmp_path / 'out')
