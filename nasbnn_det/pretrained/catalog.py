"""What weights there are, where they lie, and whether they are whole. Imports the standard library only.

``models/catalog.json`` has an entry per model; beside it lie its weights, NAME.safetensors, and its card, NAME.md.
"""
import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Dict, List, Union

#: How a name begins where a path could stand.
SCHEME = 'nasbnn_det://'
FOLDER = Path(__file__).parent / 'models'


@dataclass(frozen=True)
class Entry:
    """What is known of one model.

    Args:
        name (str): Its name.
        sha256 (str): Of the file of weights, in hex.
        bytes (int): Size of that file.
        ops_m (float): Operations in millions at ``input_size``.
        input_size (int): Height and width in pixels of the images it was trained on.
        data (str): What it was trained on, in words.
        num_classes (int): Classes of its linear classifier.
        metrics (dict[str, float]): Measured with these very weights.
        recipe (str): How it was made, in words.
    """
    name: str
    sha256: str
    bytes: int
    ops_m: float
    input_size: int
    data: str
    num_classes: int
    metrics: Dict[str, float]
    recipe: str

    def to_dict(self) -> Dict[str, Any]:
        """As JSON has it."""
        return asdict(self)


def read_catalog(folder: Union[str, os.PathLike, None] = None) -> Dict[str, Entry]:
    """All entries of a folder by name, the package's own by default; none where there is no catalog."""
    path = Path(folder or FOLDER) / 'catalog.json'
    if not path.is_file():
        return {}
    return {row['name']: Entry(**row) for row in json.loads(path.read_text(encoding='utf-8'))}


def list_models() -> List[str]:
    """Names of the models that come with the package, sorted."""
    return sorted(read_catalog())


def describe(name: str) -> Entry:
    """What is known of a model.

    Args:
        name (str): With or without ``nasbnn_det://``.

    Raises:
        ValueError: If there is none of that name.
    """
    catalog = read_catalog()
    name = name.removeprefix(SCHEME)
    if name not in catalog:
        allowed = ', '.join(sorted(catalog)) or 'none in this installation'
        raise ValueError(f"there is no model '{name}' in the package; allowed are {allowed}")
    return catalog[name]


def locate(spec: Union[str, os.PathLike]) -> Path:
    """The file that a path or a name stands for.

    Args:
        spec: A path, which is returned as it is, or ``nasbnn_det://NAME``.

    Raises:
        FileNotFoundError: If the file of a named model is not there.
        ValueError: If there is no model of that name, or its file is not the one that was measured.
    """
    if not str(spec).startswith(SCHEME):
        return Path(spec)
    entry = describe(str(spec))
    path = FOLDER / f'{entry.name}.safetensors'
    if not path.is_file():
        raise FileNotFoundError(f"'{path}' does not exist, so that '{spec}' can't be read; install the package again")
    if hashlib.sha256(path.read_bytes()).hexdigest() != entry.sha256:
        raise ValueError(f"'{path}' is not the file that its catalog describes (another SHA-256), so that '{spec}' can't be "
                         'trusted; install the package again')
    return path


def read_header(path: Union[str, os.PathLike]) -> Dict[str, str]:
    """What a safetensors file says about itself, without its tensors.

    Raises:
        ValueError: If it is no such file.
    """
    with open(path, 'rb') as file:
        length = int.from_bytes(file.read(8), 'little')
        header = file.read(length) if length <= os.path.getsize(path) else b''
    try:
        metadata = json.loads(header)['__metadata__']
        return {str(key): str(value) for key, value in metadata.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"'{path}' is no file of weights that publish_model.py wrote") from error
