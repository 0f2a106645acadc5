"""What the folder of a search tells: its front, all that it visited, and where its generations end."""
import json
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Tuple

from ..arch import Front
from ..search.comparison import Visit, read_history
from ..search.state import read_state


class SearchFacts(NamedTuple):
    """All that is known of a search.

    Args:
        front (Front): Its front.
        front_file (Path): The front's file, as a config is to name it.
        visits (list[Visit]): All evaluated architectures, in the order of evaluation.
        generations (list[int]): How many each generation evaluated; empty if that is not known.
        settings (dict[str, str]): What a reader wants to know, by words.
    """
    front: Front
    front_file: Path
    visits: List[Visit]
    generations: List[int]
    settings: Dict[str, str]

    @property
    def optimal(self) -> List[bool]:
        """Of each entry of the front, whether none with as few OPs reaches it."""
        best = self.front.pareto
        return [entry in best for entry in self.front.entries]


def read_search(work_dir: Path) -> SearchFacts:
    """Reads the folder of a search, or of an imported release.

    Args:
        work_dir (Path): With ``front.json`` and ``history.jsonl``, perhaps ``search_state.json``.

    Returns:
        SearchFacts: What is known.

    Raises:
        FileNotFoundError: If there is no such folder, or a file is missing.
        ValueError: If a file is damaged, or front and history are of different searches.
    """
    if not work_dir.is_dir():
        raise FileNotFoundError(f"'{work_dir}' is no folder; give the work directory of a search")
    path = work_dir / 'front.json'
    if not path.is_file():
        raise FileNotFoundError(f"'{path}' does not exist; give the work directory of a search")
    front, visits = Front.load(path), read_history(work_dir)
    strange = [entry for entry in front.entries if Visit(entry.ops, entry.score) not in set(visits)]
    if strange:
        raise ValueError(f"'{work_dir}': {len(strange)} of the {len(front.entries)} architectures of front.json are not in "
                         'history.jsonl; the files are of different searches, or a search stopped while it wrote them: '
                         'continue it by --resume')
    state = read_state(work_dir / 'search_state.json') or {}
    return SearchFacts(front, path, visits, _generations(state, len(visits)), _settings(front, state))


def _generations(state: Dict[str, Any], visited: int) -> List[int]:
    """Candidates by generation, if all were full: in a small space new ones run out, and no file says when."""
    try:
        sizes, done = state['identity']['evolution'], int(state['evolution']['generation'])
        found = [sizes['num_random']] + [sizes['num_mutants'] + sizes['num_crossovers']] * (done - 1)
    except (KeyError, TypeError):
        return []
    return found if sum(found) == visited else []


def _settings(front: Front, state: Dict[str, Any]) -> Dict[str, str]:
    info, identity = front.info, state.get('identity', {})
    size, window = info.get('input_size'), identity.get('window')
    known: List[Tuple[str, Any]] = [
        ('search space', front.entries[0].arch.space.name), ('score', info.get('metric')),
        ('OPs are counted for', f'{size[0]} x {size[1]} px' if size else None),
        ('range of OPs', f'{window[0] / 1e6:g} to {window[1] / 1e6:g} million' if window else None),
        ('a bucket of the front', f"{info['bucket'] / 1e6:g} million OPs" if info.get('bucket') else None),
        ('constraints', json.dumps(identity['constraints']) if identity.get('constraints') else None),
        ('supernet', info.get('supernet')), ('its SHA-256', info.get('supernet_sha256')), ('seed', info.get('seed'))]
    return {words: str(value) for words, value in known if value is not None}
