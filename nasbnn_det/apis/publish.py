"""A trained network becomes weights that others name: two-bit latents, an entry of the catalog, a card."""
import json
import os
from pathlib import Path
from typing import Dict, List, Union

from ..arch import Arch
from ..files import replace_text
from ..identity import decode
from ..pretrained import SCHEME, Entry
from ..pretrained.catalog import read_catalog
from ..supernet import Subnet
from ..supernet.checkpoint import file_sha256, read_checkpoint

_Path = Union[str, os.PathLike]
_CARD = '''# {name}

{title}

| | |
|---|---|
| data | {data} |
| licence of the data | {licence} |
| recipe | {recipe} |
| operations at {input_size} px | {ops_m:.2f} M |
| file | {bytes} bytes, SHA-256 `{sha256}` |
{metrics}

Measured with this very file. For a backbone `nasbnn_det.NASBNN`: `arch='{scheme}{name}'` and
`init_cfg=dict(type='Pretrained', checkpoint='{scheme}{name}')`.

Signs of the weights are those of the trained network; the latent weights, which fine-tuning needs, are kept in two bits
(`nasbnn_det/pretrained/two_bit.py`). Code: Apache-2.0. {terms}
'''


def read_subnet(path: _Path) -> Subnet:
    """A found classifier from a checkpoint of its fine-tuning, of its extraction, or of weights already published.

    Args:
        path: The checkpoint.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it holds no classifier on a found backbone.
    """
    state, _ = read_checkpoint(path)
    names = {key.removeprefix('backbone.').removeprefix('head.'): value for key, value in state.items()}
    if 'arch_json' not in names or 'fc.bias' not in names:
        raise ValueError(f"'{path}' holds no classifier on a found backbone (arch_json and fc.bias are needed); give a "
                         'checkpoint of configs/finetune or of extract_subnet.py')
    net = Subnet(Arch.from_dict(decode(names['arch_json'])), len(names['fc.bias']), _binarization(names))
    net.load_state_dict(names, strict=True)
    return net.eval()


def _binarization(state: Dict) -> Dict:
    """The rules of a network: those of its first layer with a matrix, if any has one."""
    rules: List[Dict] = [decode(value) for key, value in state.items() if key.endswith('rule_json')]
    return next((rule for rule in rules if rule['weights'].get('bi_transform')), rules[0])


def publish(file: _Path, entry: Entry, title: str, licence: str, terms: str = '') -> None:
    """Writes a model's entry into the catalog beside its file of weights, and its card.

    Args:
        file: The weights, NAME.safetensors, by :func:`nasbnn_det.pretrained.two_bit.write`.
        entry (Entry): What is known of it; ``sha256`` and ``bytes`` are taken from the file.
        title (str): What it is, in a sentence.
        licence (str): Terms of the data it was trained on.
        terms (str): What follows from the data's licence for the weights.
    """
    folder = Path(file).parent
    facts = dict(entry.to_dict(), sha256=file_sha256(file), bytes=os.path.getsize(file))
    catalog = {**read_catalog(folder), entry.name: Entry(**facts)}
    rows = [catalog[name].to_dict() for name in sorted(catalog)]
    replace_text(folder / 'catalog.json', json.dumps(rows, indent=1) + '\n')
    metrics = '\n'.join(f'| {key} | {value:.2f} |' for key, value in entry.metrics.items())
    words = dict(facts, metrics=metrics, title=title, licence=licence, terms=terms, scheme=SCHEME)
    replace_text(folder / f'{entry.name}.md', _CARD.format(**words))
