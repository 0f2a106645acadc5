"""The notebooks run from top to bottom, and lie in the repository without outputs."""
import json
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).resolve().parents[1] / 'docs' / 'notebooks').glob('*.ipynb'))


@pytest.mark.parametrize('path', NOTEBOOKS, ids=lambda path: path.stem)
def test_outputs_are_stripped(path):
    cells = [cell for cell in json.loads(path.read_text(encoding='utf-8'))['cells'] if cell['cell_type'] == 'code']
    assert cells and not any(cell['outputs'] or cell['execution_count'] for cell in cells)


@pytest.mark.slow
def test_the_first_detector_is_made(tmp_path):
    nbformat, nbclient = pytest.importorskip('nbformat'), pytest.importorskip('nbclient')
    path, = (path for path in NOTEBOOKS if path.stem == 'first_detector')
    notebook = nbformat.read(path, as_version=4)
    nbclient.NotebookClient(notebook, timeout=None, resources=dict(metadata=dict(path=str(tmp_path)))).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == 'code' for output in cell.outputs]
    assert sum('image/png' in output.get('data', {}) for output in outputs) == 2  # the front and the detections
    assert any('<svg class="drawing"' in output.get('data', {}).get('text/html', '') for output in outputs)
    assert {'search.html', 'front.json'} <= {file.name for file in (tmp_path / 'first_detector' / 'search').iterdir()}
    assert (tmp_path / 'first_detector' / 'detector.safetensors').stat().st_size < 1e6
