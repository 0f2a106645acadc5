"""The search's files: state, history and front, written so that a kill at any moment loses one generation."""
import hashlib
import json
import os
from pathlib import Path
from typing import Any, Dict, Optional, Sequence

from ..arch import Front, FrontEntry
from ..files import replace_text

_FORMAT = 'nasbnn_det.search_state'


class SearchFiles:
    """Reads and writes what a search keeps in its folder.

    Args:
        folder (Path): Where; made if missing.
        identity (dict): JSON-ready facts that must be the same when a search is continued: space, window,
            sizes, seed, hash of the supernet.
    """

    #: Name of the page that a finished search writes.
    page = 'search.html'

    def __init__(self, folder: Path, identity: Dict[str, Any]) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.identity = json.loads(json.dumps(identity))
        self.state_path = self.folder / 'search_state.json'
        self.history_path = self.folder / 'history.jsonl'
        self.front_path = self.folder / 'front.json'
        self.picture_path = self.folder / 'front.png'

    def load_state(self) -> Optional[Dict[str, Any]]:
        """The saved state, or None where there is none.

        Raises:
            ValueError: If the file is damaged or belongs to another search; it is left as it is.
        """
        body = read_state(self.state_path)
        if body is None:
            return None
        where = f"search state '{self.state_path}'"
        differing = sorted(k for k in {*body['identity'], *self.identity}
                           if body['identity'].get(k) != self.identity.get(k))
        if differing:
            raise ValueError(f'{where} belongs to another search: {", ".join(differing)} differ; continue with the '
                             'same settings, or move it away to start anew')
        return body['evolution']

    def set_state_aside(self) -> None:
        """Renames what is there of another search to ``search_state.json.bak``, or the first free name after it.

        Its front and history likewise, also where they came without a state, as from an import.
        """
        for path in (self.state_path, self.front_path, self.history_path):
            if path.exists():
                aside, number = path.with_name(path.name + '.bak'), 0
                while aside.exists():
                    number += 1
                    aside = path.with_name(f'{path.name}.bak{number}')
                os.replace(path, aside)

    def save_state(self, evolution: Dict[str, Any]) -> None:
        """Writes the state atomically."""
        body = dict(identity=self.identity, evolution=evolution)
        text = json.dumps(dict(format=_FORMAT, sha256=_checksum(body), body=body))
        replace_text(self.state_path, text)

    def save_front(self, entries: Sequence[FrontEntry], info: Dict[str, Any]) -> None:
        """Writes ``front.json`` atomically."""
        Front(tuple(entries), info).save(self.front_path)

    def save_history(self, entries: Sequence[FrontEntry]) -> None:
        """Writes ``history.jsonl``."""
        save_history(self.history_path, entries)


def read_state(path: Path) -> Optional[Dict[str, Any]]:
    """What a state file holds: ``identity`` and ``evolution``. None where there is no file.

    Raises:
        ValueError: If it is damaged; it is left as it is.
    """
    if not path.exists():
        return None
    where = f"search state '{path}'"
    try:
        data = json.loads(path.read_text(encoding='utf-8'))
        body, checksum = data['body'], data['sha256']
    except (UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError) as error:
        raise ValueError(f'{where} is damaged ({error}); move it away to start anew') from error
    if data.get('format') != _FORMAT or _checksum(body) != checksum:
        raise ValueError(f'{where} is damaged: its checksum is wrong; move it away to start anew')
    if not isinstance(body, dict) or not all(isinstance(body.get(part), dict) for part in ('identity', 'evolution')):
        raise ValueError(f'{where} is damaged: it needs an identity and an evolution; move it away to start anew')
    return body


def _checksum(body: Dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def save_history(path: Path, entries: Sequence[FrontEntry]) -> None:
    """Writes a line of JSON per visited architecture, in the order of evaluation, atomically."""
    lines = (json.dumps(dict(ops=e.ops, score=e.score, stages=e.arch.stages_to_list())) for e in entries)
    replace_text(path, ''.join(line + '\n' for line in lines))
