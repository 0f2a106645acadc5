"""The commands of README and docs run, in their order, on small made data: ``make docs``.

What each of them needs of a user is made first: images, annotations, a video. Images, epochs and rounds are few.
"""
import os
import re
import shutil
import subprocess
import sys

import doc_commands
import pytest
from doc_commands import ROOT

pytest.importorskip('mmdet')
pytestmark = pytest.mark.slow

#: Pages whose commands are run, one after the other in one folder.
PAGES = ['docs/recipes.md', 'docs/mmdetection_users.md', 'docs/own_data.md', 'README.md', 'docs/deployment.md',
         'docs/detectors.md', 'docs/counting_ops.md', 'docs/nasb.md', 'docs/get_started.md', 'docs/long_trainings.md',
         'docs/troubleshooting.md', 'CONTRIBUTING.md']
#: Those of them whose commands within sentences are whole.
INLINE = ['docs/mmdetection_users.md', 'docs/own_data.md']
#: What is checked for its words only, by test_doc_commands.py, and why.
NOT_RUN = [
    (r'^make ', 'installs, or runs tests and pipelines that have targets of their own'),
    (r'^(pip|uv|mim|pre-commit) ', 'changes the environment'),
    (r'^tensorboard ', 'a server, which does not end'),
    (r'import_release|work_dirs/release', "needs the files of NAS-BNN's public release"),
    (r'in1k|imagenet|dist_train|dist_test|slurm_', 'needs ImageNet, and several GPUs'),
    (r'configs/pipelines/', 'takes longer than minutes, or needs photographs; demo.py and its like are tested as pipelines'),
    (r'benchmark_', 'measures for minutes; tests/test_tools.py and tests/test_deploy run small rounds'),
    (r'--qonnx', 'minutes of qonnx on one image; tests/test_deploy/test_qonnx_export.py runs it on a smaller one'),
    (r'--tta', 'needs tta_model and tta_pipeline in the config; tests/test_tools.py has one'),
    (r'\.\.\.( |$)', 'stands for several'),
]
#: What is added to make a command short: (pattern of the command, arguments).
SHORT = [
    (r'shapes_coco\.py', '--num-train 8 --num-val 4 --image-size 64 --num-cls-train 64 --num-cls-val 10'),
    (r'train\.py configs/search', '--cfg-options train_cfg.evolution.num_random=4 train_cfg.evolution.generations=1 '
     'train_cfg.ops_range=0.1,2 train_dataloader.batch_size=16 train_cfg.recalibration_batches=1'),
    (r'extract_subnet\.py', '--batches 1'),
    (r'train\.py configs/(supernet|detection)', '--cfg-options train_cfg.max_epochs=1 train_cfg.val_interval=1 '
     'train_dataloader.batch_size=4'),
    (r'\.mim/tools/train\.py', '--work-dir work_dirs/demo/detector --cfg-options train_cfg.max_epochs=8 '
     'train_dataloader.batch_size=4'),
    (r'train_own\.py', '--size 64 --epochs 1 --batch 4'),
    (r'repeat_training\.py', '--cfg-options train_cfg.max_epochs=1'),
    (r'export_c\.py', '--check host'),
]
TWIN = 'configs/detection/rtmdet/rtmdet_nasbnn-tiny-fp_1xb16-24e_shapes-128.py'
#: What words of a page stand for: (page, pattern of the line, words, in their place).
MEANT = [
    ('docs/recipes.md', 'MINE', 'data/mine', 'data/shapes/cls'),
    ('docs/recipes.md', 'MINE', 'model.num_classes=2', 'model.num_classes=5'),
    ('docs/recipes.md', 'MINE', 'work_dirs/supernet', 'work_dirs/supernet_mine'),
    ('docs/own_data.md', 'to_coco', 'data/mine', 'data/yolo'),
    ('README.md', '', 'data/mine', 'data/again'),
    ('README.md', '', 'work_dirs/mine.py', 'work_dirs/again.py'),
    ('README.md', '', 'work_dirs/mine/best_*.pth', 'work_dirs/again/best_*.pth'),
    ('docs/detectors.md', '', 'TWIN_CONFIG', TWIN),
    ('docs/detectors.md', '', 'CONFIG', TWIN.replace('-fp', '')),
    ('docs/detectors.md', '', 'work_dirs/twin/epoch_60.pth', 'work_dirs/twin/epoch_1.pth'),
    ('', '', 'CONFIG', 'work_dirs/mine.py'),
    ('', '', '[CHECKPOINT]', 'work_dirs/mine/best_*.pth'),
    ('', '', 'CHECKPOINT', 'work_dirs/mine/best_*.pth'),
    ('', '', 'FILE', 'detector.safetensors'),
]


def reason_not_to_run(command):
    return next((reason for pattern, reason in NOT_RUN if re.search(pattern, ' '.join(command))), None)


@pytest.fixture(scope='module')
def folder(tmp_path_factory, run_tool):
    """A project's root with what a user brings; data and results are its own."""
    root = tmp_path_factory.mktemp('docs')
    for name in ('configs', 'docs', 'examples', 'nasbnn_det', 'tests', 'tools'):
        (root / name).symlink_to(ROOT / name)
    made = run_tool('tools/dataset_converters/shapes_coco.py', '--out', root / 'data/mine', '--num-train', 8, '--num-val', 4,
                    '--image-size', 64, '--num-cls-train', 0, '--num-cls-val', 0)
    assert made.returncode == 0, made.stderr
    shutil.copytree(root / 'data/mine', root / 'data/again')
    pictures = sorted((root / 'data/mine/val').glob('*.jpg'))
    shutil.copytree(root / 'data/mine/val', root / 'photographs')
    make_yolo(root / 'data/yolo', pictures)
    shutil.copy(pictures[0], root / 'street.jpg')
    make_video(root, pictures)
    return root


def make_yolo(folder, pictures):
    for name in ('images', 'labels'):
        (folder / name).mkdir(parents=True)
    (folder / 'classes.txt').write_text('thing\n')
    for picture in pictures:
        shutil.copy(picture, folder / 'images')
        (folder / 'labels' / f'{picture.stem}.txt').write_text('0 0.5 0.5 0.4 0.4\n')


def make_video(root, pictures):
    import cv2
    writer = cv2.VideoWriter(str(root / 'street.mp4'), cv2.VideoWriter_fourcc(*'mp4v'), 5, (64, 64))
    for picture in pictures:
        writer.write(cv2.imread(str(picture)))
    writer.release()
    cv2.imwrite(str(root / 'street.ppm'), cv2.imread(str(pictures[0])))


def shortened(command):
    line = ' '.join(command)
    return [*command, *(word for pattern, words in SHORT if re.search(pattern, line) for word in words.split())]


def execute(command, folder, run_tool):
    """Runs a command; its exit status and what it said."""
    if command[0] == 'python' and ('.mim/' in command[1] or command[1].startswith('tools/')):
        done = run_tool(command[1], *command[2:], cwd=folder)
    else:
        programs = {'python': [sys.executable], 'nasbnn-det': [sys.executable, '-m', 'nasbnn_det']}
        done = subprocess.run([*programs.get(command[0], command[:1]), *command[1:]], cwd=folder, capture_output=True,
                              text=True, env={**os.environ, 'PYTHONPATH': str(ROOT)})
    return done.returncode, (done.stdout + done.stderr)[-1500:]


def test_the_commands_run(folder, run_tool):
    failed, ran = [], 0
    for page in PAGES:
        for line in doc_commands.shell_lines(ROOT / page):
            replaced = [(name, value) for where, pattern, name, value in MEANT
                        if where in ('', page) and re.search(pattern, line.text)]
            if line.inline and page not in INLINE and 'report_search' not in line.text:
                continue
            for command in doc_commands.words(line, folder, replaced):
                if reason_not_to_run(command):
                    continue
                command = shortened(command)
                shutil.rmtree(folder / 'pictures', ignore_errors=True)  # nothing there is replaced
                print('+', *command, flush=True)
                code, said = execute(command, folder, run_tool)
                ran += 1
                if code:
                    failed.append(f'{page}: {" ".join(command)}\n{said}')
                if 'repeat_training' in ' '.join(command):
                    shutil.copytree(folder / 'work_dirs/mine', folder / 'work_dirs/other')
    assert not failed, '\n\n'.join(failed)
    assert ran > 25


def test_each_reason_not_to_run_has_a_command():
    commands = [' '.join(command) for page in PAGES for line in doc_commands.shell_lines(ROOT / page)
                for command in doc_commands.words(line)]
    assert not [pattern for pattern, _ in NOT_RUN if not any(re.search(pattern, command) for command in commands)]
