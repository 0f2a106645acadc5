"""ShapesCOCO: the images, the annotations, all or nothing on disk, and the command line."""
import importlib.util
import inspect
import itertools
import json
import os
import pty
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from nasbnn_det.datasets.shapes import (
    CLASSES,
    STREAMS,
    SceneParams,
    encode_mask,
    render_crop,
    render_scene,
    write_shapes_coco,
)

# From inside pycocotools, with NumPy 2.
pytestmark = pytest.mark.filterwarnings('ignore:__array__ implementation:DeprecationWarning')

TOOL = Path(__file__).resolve().parents[2] / 'tools' / 'dataset_converters' / 'shapes_coco.py'
TINY = dict(num_train=2, num_val=1, image_size=32, num_cls_train=0, num_cls_val=0, cls_size=32)
TINY_OPTIONS = [f'--{name.replace("_", "-")}={value}' for name, value in TINY.items()]
# The tool, as a process of its own, where mmdet is not installed.
WITHOUT_MMDET = f'import runpy, sys; sys.modules["mmdet"] = None; runpy.run_path({str(TOOL)!r}, run_name="__main__")'


def load_tool():
    spec = importlib.util.spec_from_file_location('shapes_coco_tool', TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


tool = load_tool()


def files_of(root):
    """Bytes of all files under a folder, by relative path."""
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob('*')) if path.is_file()}


@pytest.fixture(scope='module', params=['train', 'val'])
def coco(request, shapes_root):
    return COCO(str(shapes_root / 'annotations' / f'instances_{request.param}.json'))


class TestScenes:

    def test_depends_on_arguments_alone(self):
        late = render_scene(SceneParams(), 3, 'train', 5)
        for index in range(5):
            render_scene(SceneParams(), 3, 'train', index)
        again = render_scene(SceneParams(), 3, 'train', 5)
        np.testing.assert_array_equal(late[0], again[0])
        for first, second in zip(late[1], again[1], strict=True):
            assert first.name == second.name
            np.testing.assert_array_equal(first.mask, second.mask)

    @pytest.mark.parametrize('render', [
        lambda seed, stream: render_scene(SceneParams(image_size=64), seed, stream, 0)[0],
        lambda seed, stream: render_crop(64, seed, stream, 0)[0]
    ], ids=['scene', 'crop'])
    def test_streams_and_seeds_differ(self, render):
        images = [render(seed, stream) for seed in (0, 1) for stream in STREAMS]
        for first, second in itertools.combinations(images, 2):
            # Not only in noise: most pixels differ by more than that.
            assert (np.abs(first.astype(int) - second).max(axis=-1) > 20).mean() > .5

    def test_objects_are_disjoint_and_large_enough(self):
        for index in range(20):
            image, objects = render_scene(SceneParams(), 0, 'val', index)
            assert image.shape == (128, 128, 3) and image.dtype == np.uint8
            assert 1 <= len(objects) <= 5
            assert sum(item.mask.astype(int) for item in objects).max() == 1
            assert min(min(item.box[2:]) for item in objects) >= 6

    @pytest.mark.parametrize('arguments, word', [
        ((-1, 'train', 0), 'seed'), ((2**32, 'train', 0), 'seed'), ((0, 'test', 0), 'stream'), ((0, 'val', -1), 'index')
    ])
    def test_refuses_bad_arguments(self, arguments, word):
        with pytest.raises(ValueError, match=word):
            render_scene(SceneParams(), *arguments)

    @pytest.mark.parametrize('changes, word', [
        (dict(image_size=31), 'image_size'), (dict(image_size=64.), 'image_size'), (dict(min_objects=0), 'min_objects'),
        (dict(min_objects=6), 'max_objects'), (dict(min_size=0.), 'min_size'), (dict(max_size=1.1), 'max_size'),
        (dict(classes=('circle', 'moon')), 'classes'), (dict(classes=()), 'classes')
    ])
    def test_refuses_bad_parameters(self, changes, word):
        with pytest.raises(ValueError, match=word):
            SceneParams(**changes)


@pytest.mark.parametrize('mask', [[[0, 0], [0, 0]], [[1, 1], [1, 1]], [[1, 0], [0, 1]], [[0, 1], [1, 0]]])
def test_encode_mask(mask):
    mask = np.array(mask, bool)
    counts = encode_mask(mask)['counts']
    values = np.arange(len(counts)) % 2
    np.testing.assert_array_equal(np.repeat(values, counts).reshape(mask.shape, order='F'), mask)


class TestFiles:

    def test_layout(self, shapes_root, parameters):
        for split in ('train', 'val'):
            assert len(list((shapes_root / split).glob('*.jpg'))) == parameters[f'num_{split}']
            for name in CLASSES:
                crops = list((shapes_root / 'cls' / split / name).glob('*.jpg'))
                assert len(crops) == parameters[f'num_cls_{split}'] // len(CLASSES)
                assert all(cv2.imread(str(path)).shape == (32, 32, 3) for path in crops)
        assert not list(shapes_root.parent.glob('.*'))

    def test_same_bytes_again_and_with_other_counts(self, shapes_root, parameters, tmp_path):
        changed = dict(parameters, num_train=5, num_val=25, num_cls_train=5, num_cls_val=10)
        write_shapes_coco(tmp_path / 'again', **changed)
        first, second = files_of(shapes_root), files_of(tmp_path / 'again')
        images = [name for name in set(first) & set(second) if name.endswith('.jpg')]
        assert len(images) == 5 + 20 + 5 + 5
        assert all(first[name] == second[name] for name in images)

    def test_same_parameters_same_files(self, tmp_path):
        for name in 'ab':
            write_shapes_coco(tmp_path / name, **TINY)
        assert files_of(tmp_path / 'a') == files_of(tmp_path / 'b')

    def test_writes_once(self, shapes_root, parameters):
        times = [path.stat().st_mtime_ns for path in sorted(shapes_root.rglob('*'))]
        assert not write_shapes_coco(shapes_root, **parameters)
        assert times == [path.stat().st_mtime_ns for path in sorted(shapes_root.rglob('*'))]

    def test_takes_an_empty_folder(self, tmp_path):
        assert write_shapes_coco(tmp_path, **TINY)
        assert len(list(tmp_path.glob('*/*.jpg'))) == 3

    def test_keeps_another_set(self, shapes_root, parameters):
        before = files_of(shapes_root)
        with pytest.raises(ValueError, match='seed=7 where seed=8'):
            write_shapes_coco(shapes_root, **dict(parameters, seed=8))
        assert files_of(shapes_root) == before

    @pytest.mark.parametrize('name, text', [('notes.txt', 'mine'), ('shapes.json', '{"format": "other"}'),
                                            ('shapes.json', 'no JSON')])
    def test_keeps_what_is_no_set(self, tmp_path, name, text):
        (tmp_path / name).write_text(text)
        with pytest.raises(ValueError, match='empty folder'):
            write_shapes_coco(tmp_path, **TINY)
        assert files_of(tmp_path) == {name: text.encode()}

    @pytest.mark.parametrize('changes, word', [
        (dict(num_train=0), 'num_train'), (dict(num_val=1.5), 'num_val'), (dict(num_cls_val=4), 'num_cls_val'),
        (dict(image_size=16), 'image_size'), (dict(cls_size=True), 'cls_size'), (dict(seed=-1), 'seed')
    ])
    def test_refuses_bad_parameters(self, tmp_path, changes, word):
        with pytest.raises(ValueError, match=word):
            write_shapes_coco(tmp_path / 'set', **dict(TINY, **changes))
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize('error', [KeyboardInterrupt, RuntimeError])
    @pytest.mark.parametrize('last', [1, 3])
    def test_interruption_leaves_nothing(self, tmp_path, error, last):

        def interrupt(done, total):
            assert total == 3
            if done == last:
                raise error

        with pytest.raises(error):
            write_shapes_coco(tmp_path / 'set', progress=interrupt, **TINY)
        assert not list(tmp_path.iterdir())
        assert write_shapes_coco(tmp_path / 'set', **TINY)


class TestAnnotations:

    def test_masks_boxes_and_images_agree(self, coco):
        assert tuple(item['name'] for item in coco.loadCats(coco.getCatIds())) == CLASSES
        for image in coco.imgs.values():
            for item in coco.imgToAnns[image['id']]:
                mask = coco.annToMask(item).astype(bool)
                assert mask.shape == (image['height'], image['width']) and mask.sum() == item['area']
                rows, columns = np.nonzero(mask)
                x, y, width, height = item['bbox']
                assert (x, y) == (columns.min(), rows.min())
                assert (x + width, y + height) == (columns.max() + 1, rows.max() + 1)
                assert x >= 0 and y >= 0 and x + width <= image['width'] and y + height <= image['height']

    def test_images_are_there(self, coco, shapes_root):
        split = 'train' if len(coco.imgs) == 60 else 'val'
        for image in coco.imgs.values():
            pixels = cv2.imread(str(shapes_root / split / image['file_name']))
            assert pixels.shape == (image['height'], image['width'], 3)

    def test_objects_stand_out_in_the_written_image(self, coco, shapes_root):
        """The mean colour changes across most mask borders, JPEG compression or not."""
        split = 'train' if len(coco.imgs) == 60 else 'val'
        contrasts = []
        for item in coco.anns.values():
            name = coco.imgs[item['image_id']]['file_name']
            pixels = cv2.imread(str(shapes_root / split / name)).astype(float)
            mask = coco.annToMask(item)
            inside = cv2.erode(mask, np.ones((3, 3))) > 0
            around = (cv2.dilate(mask, np.ones((7, 7))) > 0) & (cv2.dilate(mask, np.ones((3, 3))) == 0)
            contrasts.append(np.abs(pixels[inside].mean(axis=0) - pixels[around].mean(axis=0)).max())
        assert np.mean(np.array(contrasts) > 15) > .85

    def test_classes_are_balanced(self, shapes_root):
        coco = COCO(str(shapes_root / 'annotations' / 'instances_train.json'))
        counts = Counter(item['category_id'] for item in coco.anns.values())
        mean = sum(counts.values()) / len(CLASSES)
        assert len(counts) == len(CLASSES) and mean > 25
        # Four standard deviations of a fair choice.
        assert all(abs(count - mean) < 4 * mean**.5 for count in counts.values())

    @pytest.mark.parametrize('kind', ['bbox', 'segm'])
    def test_truth_scores_one(self, coco, kind):
        truth = [dict(image_id=item['image_id'], category_id=item['category_id'], bbox=item['bbox'], score=1.,
                      segmentation=coco.annToRLE(item)) for item in coco.anns.values()]
        if kind == 'bbox':
            truth = [{key: value for key, value in item.items() if key != 'segmentation'} for item in truth]
        evaluation = COCOeval(coco, coco.loadRes(truth), kind)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
        assert evaluation.stats[0] == pytest.approx(1.)


class TestTool:

    @pytest.fixture(autouse=True)
    def handlers(self):
        """Puts back what the tool sets for its process."""
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        yield
        for number, handler in before.items():
            signal.signal(number, handler)

    def test_every_setting_is_an_option(self):
        settings = inspect.signature(write_shapes_coco).parameters
        assert set(tool.OPTIONS) == set(settings) - {'root', 'progress'}
        defaults = tool.parse_args(['--out', 'x'])
        assert defaults == dict(out='x', **{name: settings[name].default for name in tool.OPTIONS})

    def test_writes_then_says_so(self, tmp_path, capsys):
        out = tmp_path / 'set'
        assert tool.main(['--out', str(out), *TINY_OPTIONS]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert lines[-2:] == ['3 of 3 images (100 %)', f'{out}: written']
        assert tool.main(['--out', str(out), *TINY_OPTIONS]) == 0
        assert capsys.readouterr().out == f'{out}: this very set is already there\n'

    def test_progress_in_a_file_is_short(self, capsys):
        progress = tool.ProgressLine()
        for done in range(1, 1001):
            progress(done, 1000)
        lines = capsys.readouterr().out.splitlines()
        assert len(lines) == 11 and lines[-1] == '1000 of 1000 images (100 %)'

    @pytest.mark.parametrize('options, word', [
        (['--num-train', '0'], 'num_train must be at least 1'), (['--seed', '-3'], 'seed'),
        (['--image-size', '8'], 'image_size'), (['--num-cls-val', '1'], 'num_cls_val')
    ])
    def test_bad_value_is_one_line(self, tmp_path, capsys, options, word):
        assert tool.main(['--out', str(tmp_path / 'set'), *options]) == 1
        streams = capsys.readouterr()
        assert word in streams.err and len(streams.err.splitlines()) == 1 and not streams.out
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize('options, word', [([], '--out'), (['--out', 'x', '--num-val', 'many'], 'many'),
                                               (['--out', 'x', '--colour', '1'], '--colour')])
    def test_bad_command_line_is_one_line(self, capsys, options, word):
        with pytest.raises(SystemExit) as exit_:
            tool.main(options)
        assert exit_.value.code == 1
        error = capsys.readouterr().err
        assert word in error and len(error.splitlines()) == 1

    def test_folder_below_a_file_is_one_line(self, tmp_path, capsys):
        (tmp_path / 'file').write_text('')
        assert tool.main(['--out', str(tmp_path / 'file' / 'set'), *TINY_OPTIONS]) == 1
        error = capsys.readouterr().err
        assert str(tmp_path) in error and len(error.splitlines()) == 1

    def test_terminal_line_is_rewritten(self, tmp_path, monkeypatch):
        terminal, end = pty.openpty()
        with os.fdopen(end, 'w') as stream:
            monkeypatch.setattr(sys, 'stdout', stream)
            assert tool.main(['--out', str(tmp_path / 'set'), *TINY_OPTIONS]) == 0
        text = os.read(terminal, 10000).decode()
        os.close(terminal)
        assert text.count('\r1 of 3') == 1 and '\r3 of 3 images (100 %)\r\n' in text
        record = json.loads((tmp_path / 'set' / 'shapes.json').read_text())
        assert record['parameters'] == dict(TINY, seed=0)

    def test_interrupt_leaves_nothing(self, tmp_path, monkeypatch, capsys):

        class Interrupted(tool.ProgressLine):

            def __call__(self, done, total):
                super().__call__(done, total)
                os.kill(os.getpid(), signal.SIGINT)

        monkeypatch.setattr(tool, 'ProgressLine', Interrupted)
        assert tool.main(['--out', str(tmp_path / 'set'), *TINY_OPTIONS]) == 130
        assert capsys.readouterr().err == 'interrupted, nothing was written\n' and not list(tmp_path.iterdir())

    def test_a_process_without_mmdet_that_is_ended_leaves_nothing(self, tmp_path):
        command = [sys.executable, '-c', WITHOUT_MMDET, '--out', str(tmp_path / 'set'), '--num-train', '100000']
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert process.stdout.readline().startswith('1 of ')
            process.send_signal(signal.SIGTERM)
            _, error = process.communicate()
        assert process.returncode == 130
        assert error == 'interrupted, nothing was written\n'
        assert not list(tmp_path.iterdir())
