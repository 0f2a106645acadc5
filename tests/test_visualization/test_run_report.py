"""What a training logged, its resumed parts put together; and its report on one page."""
import base64
import json
import shutil
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest

from nasbnn_det.visualization.run_log import find_runs, read_run

pytest.importorskip('mmengine')

START = '20260101_0000{:02}'


def write_part(work_dir, number, epochs, score=0.1, loss=1.0, minutes=3, more=None):
    """A part of a training as MMEngine logs it: two steps an epoch, a validation after each."""
    folder = work_dir / START.format(number) / 'vis_data'
    folder.mkdir(parents=True)
    rows = []
    for epoch in epochs:
        rows += [dict(lr=0.01, loss=loss / step, loss_cls=0.4, time=0.5, epoch=epoch, iter=step, step=step)
                 for step in (2 * epoch - 1, 2 * epoch)]
        rows.append({'coco/bbox_mAP': score * epoch, 'coco/bbox_mAP_l': -1.0, 'time': 0.1, 'step': epoch, **(more or {})})
    (folder / 'scalars.json').write_text('\n'.join(map(json.dumps, rows)) + '\n{"lr": 0.')  # killed while it wrote
    (folder.parent / f'{folder.parent.name}.log').write_text(
        f'2026/01/01 00:00:00 - mmengine - INFO - begun\nno time\n2026/01/01 00:{minutes:02}:05 - mmengine - INFO - done\n')
    return work_dir


def test_a_resumed_training_is_put_together(tmp_path):
    write_part(tmp_path, 1, range(1, 5))
    # The first part was killed in epoch 4, of which nothing was saved: the second one does it again.
    log = read_run(write_part(tmp_path, 2, range(4, 6), score=0.15, loss=2.0))
    assert log.curve('coco/bbox_mAP') == pytest.approx({1: 0.1, 2: 0.2, 3: 0.3, 4: 0.6, 5: 0.75})
    assert log.curve('loss') == pytest.approx({1: 0.75, 2: 7 / 24, 3: 11 / 60, 4: 15 / 56, 5: 19 / 90})
    assert [row['step'] for row in log.train] == list(range(1, 11)) and log.unit == 'epoch' and log.seconds == 370


def test_parts_are_put_together_though_the_clock_was_put_back(tmp_path):
    write_part(tmp_path, 5, range(1, 4))
    write_part(tmp_path, 1, range(3, 6), score=0.2)
    log = read_run(write_part(tmp_path, 6, range(5, 7), score=0.3))
    assert log.curve('coco/bbox_mAP') == pytest.approx({1: 0.1, 2: 0.2, 3: 0.6, 4: 0.8, 5: 1.5, 6: 1.8})
    assert [row['step'] for row in log.train] == list(range(1, 13))
    text = tmp_path / START.format(5) / f'{START.format(5)}.log'
    text.write_text(text.read_text() + '2025/12/31 23:03:05 - on\n2025/12/31 23:03:06 - done\n')
    assert read_run(tmp_path).seconds == log.seconds + 1


def test_a_training_that_began_anew_forgets_the_one_before(tmp_path):
    write_part(tmp_path, 1, range(1, 9))
    log = read_run(write_part(tmp_path, 2, range(1, 4), score=0.2))
    assert log.curve('coco/bbox_mAP') == pytest.approx({1: 0.2, 2: 0.4, 3: 0.6})
    assert len(log.train) == 6


def test_a_folder_without_logs_is_empty(tmp_path):
    assert read_run(tmp_path) == ([], [], 0)


def test_the_seeds_of_a_series_are_found(tmp_path):
    for seed in range(3):
        write_part(tmp_path / f'seed{seed}', 1, [1])
    (tmp_path / 'seed3').mkdir()
    assert [path.name for path in find_runs(tmp_path)] == ['seed0', 'seed1', 'seed2']
    assert find_runs(tmp_path / 'seed1') == [tmp_path / 'seed1'] and find_runs(tmp_path / 'none') == [tmp_path / 'none']


def test_losses_and_seeds_are_compared(tmp_path, run_tool):
    for seed, score in enumerate((0.1, 0.2)):
        write_part(tmp_path / 'a' / f'seed{seed}', 1, range(1, 41), score=score / 40)
    write_part(tmp_path / 'b', 1, [40], score=0.3 / 40)
    done = run_tool('tools/analysis_tools/compare_runs.py', f'a={tmp_path / "a"}', f'b={tmp_path / "b"}', '--metric',
                    'coco/bbox_mAP', '--metric', 'loss', '--work-dir', tmp_path / 'out')
    assert done.returncode == 0, done.stderr
    tables = (tmp_path / 'out' / 'curves.md').read_text().split('\n\n')
    assert len(tables) == 2 and tables[1].startswith('| loss |')
    heads = tables[0].splitlines()[0].split(' | ')
    assert heads[-1] == 'epoch 40 |' and len(heads) <= 17
    assert '0.150 ± 0.071 |' in tables[0] and '| 0.300 |' in tables[0]
    height, width = cv2.imread(str(tmp_path / 'out' / 'curves.png')).shape[:2]
    assert height > width  # a panel for each
    assert json.loads((tmp_path / 'out' / 'result.json').read_text())['metrics'] == pytest.approx(dict(a=0.15, b=0.3))


class Page(HTMLParser):
    """What a page needs and says."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.sources, self.cells = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.sources += [value for name, value in attrs if name in ('src', 'href', 'xlink:href', 'srcset', 'data', 'action')]

    def handle_data(self, data):
        self.cells.append(data)


@pytest.fixture
def work_dir(tiny_shapes, tmp_path):
    """A training's folder, with a resumed part, checkpoints and a picture."""
    folder = tmp_path / 'run'
    more = {'coco/circle_precision': 0.123, 'coco/star_precision': float('nan')}
    write_part(folder, 1, range(1, 5), more=more)
    write_part(folder, 2, range(4, 6), score=0.0871, more=more)
    loaders = ''.join(
        f"{name}_dataloader = dict(batch_size=7, dataset=dict(type='RepeatDataset', times=1, dataset=dict("
        f"data_root='{tiny_shapes}', ann_file='annotations/instances_{name}.json', "
        "metainfo=dict(classes=('circle', 'square', 'triangle', 'star', 'cross')))))\n" for name in ('train', 'val'))
    (folder / 'my_config.py').write_text(
        loaders + "model = dict(type='A<b>&c')\ntrain_cfg = dict(max_epochs=33)\nrandomness = dict(seed=5)\n")
    (folder / 'best_coco_bbox_mAP_epoch_5.pth').touch()
    (folder / 'last_checkpoint').write_text(str(folder / 'epoch_5.pth'))
    cv2.imwrite(str(folder / 'detections.png'), np.full((9, 9, 3), 50, np.uint8))
    return folder


def test_the_report_stands_by_itself_and_has_the_numbers(work_dir, tiny_shapes, run_tool):
    done = run_tool('tools/analysis_tools/report_run.py', work_dir)
    assert done.returncode == 0, done.stderr
    text = (work_dir / 'report.html').read_text(encoding='utf-8')
    page = Page(text)
    assert not {'script', 'link', 'iframe', 'object', 'embed', 'base'} & set(page.tags)
    pictures = [source for source in page.sources if not source.startswith('#')]
    assert pictures == ['data:image/png;base64,' + base64.b64encode((work_dir / 'detections.png').read_bytes()).decode()]
    assert '@import' not in text and 'url(http' not in text and page.tags.count('svg') == 3
    objects = json.loads((tiny_shapes / 'annotations' / 'instances_train.json').read_text())
    circles = sum(a['category_id'] == objects['categories'][0]['id'] for a in objects['annotations'])
    rows = '|'.join(page.cells).replace('\n', '')
    for words in ('my_config', 'best coco/bbox_mAP|0.435 (epoch 5)', 'trained|5 epochs, 10 steps', '6 min 10 s', 'A<b>&c',
                  'epochs, at most|33', 'images a step|7', 'seed|5', 'best checkpoint|best_coco_bbox_mAP_epoch_5.pth',
                  'latest checkpoint|epoch_5.pth', f'instances_train.json|4|0|{len(objects["annotations"])}',
                  'coco/bbox_mAP|0.435|0.435', 'coco/bbox_mAP_l|–|–', f'circle|{circles}|'):
        assert words in rows, words
    assert rows.count('|0.123') == 1 and page.cells.count('loss_cls') == 1


def test_a_report_of_little_tells_little(work_dir, run_tool):
    for path in work_dir.iterdir():
        if path.is_file():
            path.unlink()
    shutil.rmtree(work_dir / START.format(2))
    done = run_tool('tools/analysis_tools/report_run.py', work_dir, '--out', work_dir / 'a.html')
    assert done.returncode == 0, done.stderr
    page = Page((work_dir / 'a.html').read_text(encoding='utf-8'))
    assert 'Data' not in page.cells and 'Pictures' not in page.cells and '0.400 (epoch 4)' in page.cells


def test_bad_input_of_the_report_is_named(work_dir, tmp_path, run_tool):
    for args, words in (([tmp_path / 'none'], 'is no folder'), ([tmp_path], 'has no logs'),
                        ([work_dir, '--pictures', work_dir / 'my_config.py'], 'is no png or jpg'),
                        ([work_dir, '--out', work_dir / 'my_config.py'], 'must end in .html')):
        done = run_tool('tools/analysis_tools/report_run.py', *args)
        assert done.returncode == 1 and words in done.stderr and done.stderr.count('\n') == 1, done.stderr
