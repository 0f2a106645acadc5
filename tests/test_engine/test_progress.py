"""What a running search says."""
from types import SimpleNamespace

import pytest

pytest.importorskip('mmengine')

from nasbnn_det.engine.progress import SearchProgress  # noqa: E402


def test_scores_below_one_are_told_apart():
    lines, scalars = [], []
    progress = SearchProgress(SimpleNamespace(info=lines.append),
                              SimpleNamespace(add_scalars=lambda values, step: scalars.append((step, values))), 10, 2, 0.27)
    progress.candidate(0.2741)
    progress.generation(4, 0.2741)
    progress.close()
    assert 'search: 4 of at most 10 candidates' in lines[-1] and lines[-1].endswith('best 0.2741')
    assert scalars[-1][0] == 4 and scalars[-1][1]['search/best'] == 0.2741
