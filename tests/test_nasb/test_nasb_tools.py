"""The tools around NASB run as programs."""
import json

import pytest

pytest.importorskip('mmpretrain')

from nasbnn_det.nasb import Cell, CellNet, CellSpace, ResNetShape, StemShape, count_net_ops  # noqa: E402
from nasbnn_det.nasb.record import read_history  # noqa: E402

CONFIG = 'configs/nasb/nasb-plain-r18-tiny_1xb64-10e_imagefolder-32.py'


def test_report_of_cells(tmp_path, run_tool):
    space = CellSpace(2)
    net = CellNet(18, (Cell(((0, 1, 'bin_conv_5x5'), )), Cell(((0, 1, 'skip_connect'), ))) + (Cell(), ) * 14)
    net.save(tmp_path / 'cells.json')
    even = {name: [[1 / 7] * 7] for name in net.by_name}
    rows = [dict(epoch=i, temperature=1.0, space=vars(space), probabilities=even) for i in range(2)]
    (tmp_path / 'history.jsonl').write_text(''.join(json.dumps(row) + '\n' for row in rows))
    done = run_tool('tools/analysis_tools/nasb_report.py', CONFIG, '--shape', 32, 32, '--history',
                    tmp_path / 'history.jsonl', '--work-dir', tmp_path / 'report', '--cfg-options',
                    f'model.backbone.cells={tmp_path / "cells.json"}')
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / 'report' / 'report.json').read_text())
    shape = ResNetShape(18, 16, StemShape(3, 2, False))
    ops, plain = (count_net_ops(n, shape, (32, 32)).total.ops for n in (net, CellNet.plain(18)))
    assert report['backbone']['ops'] == ops and report['backbone']['plain_ops'] == plain
    first, second, third = report['cells'][:3]
    assert first['ops_overhead'] == pytest.approx(25 / 9) and second['ops_overhead'] == 0
    assert second['params'] == second['plain_params'] + 2 * 16 and third['params'] == third['plain_params']
    for name in json.loads((tmp_path / 'report' / 'result.json').read_text())['files']:
        assert (tmp_path / name).stat().st_size > 0
    assert 'bin_conv_5x5' in done.stdout


@pytest.mark.parametrize('text, words', [(None, 'does not exist'), ('', 'is no history'), ('{}', 'is no history'),
                                         ('[1', 'is no history'), ('1', 'is no history')])
def test_wrong_histories_are_refused(text, words, tmp_path):
    path = tmp_path / 'history.jsonl'
    if text is not None:
        path.write_text(text)
    with pytest.raises((ValueError, FileNotFoundError), match=words):
        read_history(path)


@pytest.mark.slow
def test_repeated_trainings_are_counted_and_not_repeated(tiny_shapes, tmp_path, run_tool):
    data = [f'{name}.dataset.{key}' for name in ('train_dataloader', 'val_dataloader')
            for key in (f'data_root={tiny_shapes}', f'data_prefix=cls/{name.split("_")[0]}')]
    args = [CONFIG, '--shape', 32, 32, '--work-dir', tmp_path, '--cfg-options', *data, 'train_dataloader.batch_size=5',
            'train_cfg.max_epochs=1', 'model.backbone.base_channels=4']
    for seeds in ((0, ), (0, 1)):
        done = run_tool('tools/analysis_tools/repeat_training.py', *args, '--seeds', *seeds)
        assert done.returncode == 0, done.stderr
    runs = [json.loads(line) for line in (tmp_path / 'runs.jsonl').read_text().splitlines()]
    assert [r['seed'] for r in runs] == [0, 1] and len(list(tmp_path.glob('seed0/2*'))) == 1
    result = json.loads((tmp_path / 'result.json').read_text())
    assert result['metrics']['runs/mean'] == pytest.approx(sum(r['score'] for r in runs) / 2)
    assert runs[0]['ops'] == result['ops']['ops_m'] * 1e6
