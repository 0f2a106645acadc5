"""Searches compared at equal cost."""
import json
import math
import subprocess
import sys

import numpy as np
import pytest

from nasbnn_det.search.comparison import Visit, mean_best, read_history


def test_mean_of_the_best_within_each_budget():
    visits = [Visit(2.0, 50.0), Visit(1.0, 40.0), Visit(2.0, 45.0), Visit(1.0, 60.0)]
    # Budgets of 1 and 2; the first has no candidate before the second visit.
    values = mean_best(visits, [1.0, 2.0])
    assert math.isnan(values[0]) and values[1:].tolist() == [45.0, 45.0, 60.0]


def test_it_never_falls():
    rng = np.random.default_rng(0)
    values = mean_best([Visit(*pair) for pair in rng.random((50, 2))], [0.3, 0.6, 1.0])
    values = values[np.isfinite(values)]
    assert len(values) > 30 and (np.diff(values) >= 0).all()


def history(folder, rows):
    """A search's folder."""
    folder.mkdir()
    (folder / 'history.jsonl').write_text(''.join(json.dumps(dict(ops=o, score=s, stages=[])) + '\n' for o, s in rows))
    return folder


def test_histories_that_are_none(tmp_path):
    with pytest.raises(FileNotFoundError, match='give the work directory of a search'):
        read_history(tmp_path)
    with pytest.raises(ValueError, match='is empty'):
        read_history(history(tmp_path / 'empty', []))
    (tmp_path / 'empty' / 'history.jsonl').write_text('{"ops": 1}\n')
    with pytest.raises(ValueError, match='no history of a search'):
        read_history(tmp_path / 'empty')


def test_the_tool(tmp_path):
    first = history(tmp_path / 'a', [(1e6, 30.0), (2e6, 50.0), (3e6, 60.0), (1e6, 40.0)])
    second = history(tmp_path / 'b', [(1e6, 35.0), (3e6, 55.0), (2e6, 40.0), (2.5e6, 41.0)])
    tool = [sys.executable, 'tools/analysis_tools/compare_searches.py', f'evolution={first}', f'random={second}']
    done = subprocess.run([*tool, '--budgets', '3', '--work-dir', tmp_path / 'out'], capture_output=True, text=True,
                          check=True)
    result = json.loads((tmp_path / 'out' / 'result.json').read_text())
    assert result['candidates'] == 4 and result['budgets_m'] == [1.0, 3.0]
    assert result['metrics'] == pytest.approx(dict(evolution=50.0, random=(35 + 40 + 55) / 3))
    assert '| evolution | ' in done.stdout and (tmp_path / 'out' / 'searches.png').stat().st_size > 5000
