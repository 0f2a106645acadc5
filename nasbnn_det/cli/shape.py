"""The input size that operations are counted for."""
import json
from pathlib import Path
from typing import Any, Dict, Optional, Sequence, Tuple

from ..arch.front import split_limit

#: The argument of the tools.
SHAPE_HELP = 'input size for the OPs, height and width in pixels; not needed where a front or cells file says it'


def file_info(spec: Any) -> Dict[str, Any]:
    """What a front's or a search's cells' file says about where its networks come from.

    Args:
        spec (Any): As configs name an architecture or cells. Anything but the name of such a file says nothing.
    """
    if not isinstance(spec, (str, Path)):
        return {}
    path = Path(split_limit(str(spec))[0])
    data = json.loads(path.read_text(encoding='utf-8')) if path.is_file() else None
    info = data.get('info') if isinstance(data, dict) else None
    return info if isinstance(info, dict) else {}


def choose_shape(given: Optional[Sequence[int]], *infos: Dict[str, Any]) -> Tuple[int, int]:
    """Height and width: as the command line says, or else the first of some files that says it.

    Raises:
        ValueError: If nobody says, or a size is below 1.
    """
    shape = given or next((info['input_size'] for info in infos if info.get('input_size')), None)
    if shape is None:
        raise ValueError('no file says which input size the OPs are counted for; give --shape HEIGHT WIDTH')
    if min(shape) < 1:
        raise ValueError(f'--shape is {list(shape)}; sizes in pixels are at least 1')
    return int(shape[0]), int(shape[1])
