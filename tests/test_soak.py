"""A pipeline that is killed again and again ends as one that was left alone; `make soak` does it 20 times, in all stages."""
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip('mmdet')


@pytest.mark.slow
def test_a_killed_pipeline_ends_as_one_left_alone(tmp_path):
    soak = Path(__file__).with_name('soak_pipeline.py')
    done = subprocess.run([sys.executable, soak, tmp_path / 'soak', '--kills', '4', '--stages', 'supernet', 'search'],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert 'kills;' in done.stdout
