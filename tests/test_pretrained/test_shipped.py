"""The weights that come with the package: whole, few bytes, and the numbers that they gave when they were published."""
import json
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

pytest.importorskip('mmpretrain')

from nasbnn_det.apis import describe, list_models  # noqa: E402
from nasbnn_det.apis.publish import read_subnet  # noqa: E402
from nasbnn_det.costs import count_ops  # noqa: E402
from nasbnn_det.datasets.shapes import render_crop  # noqa: E402
from nasbnn_det.pretrained import catalog, locate  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
RECORD = ROOT / 'tests' / 'data' / 'shipped_logits.json'
NUM_IMAGES = 20


def made_images(size):
    """Pictures of made shapes as a network sees them, shape (20, 3, size, size)."""
    pictures = np.stack([render_crop(size, 0, 'cls_val', i)[0][..., ::-1] for i in range(NUM_IMAGES)])
    return (torch.from_numpy(pictures).permute(0, 3, 1, 2).float() - 127.5) / 127.5


def logits_of(name):
    net = read_subnet(locate(f'nasbnn_det://{name}'))
    with torch.inference_mode():
        return net(made_images(describe(name).input_size))


def record():
    """Writes what they give now: for a model that was published anew."""
    rows = {name: [[round(x, 3) for x in row] for row in logits_of(name).tolist()] for name in list_models()}
    RECORD.write_text(json.dumps(rows) + '\n')


def test_there_are_some_in_few_bytes():
    assert len(list_models()) >= 3
    assert sum(path.stat().st_size for path in catalog.FOLDER.iterdir()) <= 8e6


@pytest.mark.parametrize('name', list_models())
def test_numbers_on_twenty_images(name):
    found, recorded = logits_of(name), torch.tensor(json.loads(RECORD.read_text())[name])
    # Another order of a float sum may turn a sign whose argument is about zero, which moves an image's logits a little.
    assert found.shape == recorded.shape
    assert (found.argmax(1) == recorded.argmax(1)).sum() >= NUM_IMAGES - 1
    assert (found - recorded).abs().mean() < 0.05 * recorded.std()


@pytest.mark.parametrize('name', list_models())
def test_card_catalog_and_index_agree(name):
    entry, net = describe(name), read_subnet(locate(f'nasbnn_det://{name}'))
    assert len(net.fc.bias) == entry.num_classes
    assert count_ops(net.arch, (entry.input_size, ) * 2, entry.num_classes).ops / 1e6 == pytest.approx(entry.ops_m)
    assert entry.sha256 in (catalog.FOLDER / f'{name}.md').read_text(encoding='utf-8')
    index = yaml.safe_load((ROOT / 'model-index.yml').read_text(encoding='utf-8'))
    row, = (row for row in index['Models'] if row['Name'] == name)
    assert row['Results'][0]['Metrics']['Top 1 Accuracy'] == pytest.approx(entry.metrics['accuracy/top1'], abs=0.05)
    assert row['Weights'] == f'nasbnn_det://{name}' and (ROOT / row['Config']).is_file()
