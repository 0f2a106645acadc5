"""Names are registered when MMEngine is imported, and nothing is imported for it before."""
import subprocess
import sys
from pathlib import Path

import pytest

_LATER = '''
import sys
import nasbnn_det
from nasbnn_det.apis import PackedDetector
assert not {'torch', 'mmengine', 'safetensors', 'cv2', 'PIL'} & set(sys.modules)
from mmengine.config import Config
assert 'nasbnn_det.registry' in sys.modules
from mmengine.registry import MODELS
print(MODELS.get('nasbnn_det.NASBNN').__name__)
'''


def test_mmengine_may_come_later():
    pytest.importorskip('mmdet')
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run([sys.executable, '-c', _LATER], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ['NASBNN']
