"""The search's files."""
import json
import subprocess

import numpy as np
import pytest

from nasbnn_det.arch import SPACES, Arch, Front, FrontEntry
from nasbnn_det.search.state import SearchFiles

IDENTITY = dict(space=SPACES['tiny'].to_dict(), window=[1e6, 2.5e6], seed=3, sizes=(1, 2))
STATE = dict(generation=2, visited=[dict(score=0.1 + 0.2)], rng=dict(state=2**127 + 1, inc=1))


@pytest.fixture
def files(tmp_path):
    """A search's files with a saved state."""
    files = SearchFiles(tmp_path / 'new' / 'search', IDENTITY)
    files.save_state(STATE)
    return files


def test_state_round_trip(files):
    again = SearchFiles(files.folder, IDENTITY)
    assert again.load_state() == STATE
    again.save_state(dict(STATE, generation=3))
    assert files.load_state()['generation'] == 3
    assert [p.name for p in files.folder.iterdir()] == ['search_state.json']


def test_no_state(tmp_path):
    assert SearchFiles(tmp_path, IDENTITY).load_state() is None


def flip_a_digit(text):
    """Another score."""
    assert '0.30000000000000004' in text
    return text.replace('0.30000000000000004', '0.40000000000000004')


@pytest.mark.parametrize('damage', [
    flip_a_digit,
    lambda text: text[:len(text) // 2],
    lambda text: text[:-1],
    lambda text: '',
    lambda text: '[]',
    lambda text: '[1]',
    lambda text: '3',
    lambda text: '"body sha256"',
    lambda text: 'null',
    lambda text: '{}',
    lambda text: '\xff\xfe',
    lambda text: text.replace('nasbnn_det.search_state', 'another.program'),
    lambda text: json.dumps({**json.loads(text), 'sha256': 'abc'}),
    lambda text: json.dumps({**json.loads(text), 'body': None}),
])
def test_damaged_states_are_refused_and_left(files, damage):
    damaged = damage(files.state_path.read_text()).encode('latin-1')
    files.state_path.write_bytes(damaged)
    with pytest.raises(ValueError) as error:
        files.load_state()
    message = str(error.value)
    assert 'is damaged' in message and str(files.state_path) in message and 'move it away' in message
    assert '\n' not in message and files.state_path.read_bytes() == damaged


@pytest.mark.parametrize('change, names', [
    (dict(seed=4), 'seed'),
    (dict(window=[1e6, 3e6]), 'window'),
    (dict(space=SPACES['cifar'].to_dict(), seed=9), 'seed, space'),
    (dict(new_setting=1), 'new_setting'),
])
def test_states_of_other_searches_are_refused_and_left(files, change, names):
    before = files.state_path.read_bytes()
    other = SearchFiles(files.folder, {**IDENTITY, **change})
    with pytest.raises(ValueError) as error:
        other.load_state()
    assert f'belongs to another search: {names} differ' in str(error.value)
    assert files.state_path.read_bytes() == before


def test_a_kill_while_writing_leaves_the_old_state(files):
    files.state_path.with_name('search_state.json.part').write_text('{"half')
    assert files.load_state() == STATE


def test_front_and_history(files):
    rng = np.random.default_rng(0)
    entries = [FrontEntry(Arch.random(SPACES['tiny'], rng), 1e6 * (i + 1), i / 3) for i in range(3)]
    files.save_front(entries[1:], dict(metric='m'))
    files.save_history(entries)
    assert Front.load(files.front_path) == Front(tuple(entries[1:]), dict(metric='m'))
    rows = [json.loads(line) for line in files.history_path.read_text().splitlines()]
    assert [FrontEntry(Arch.from_stages(SPACES['tiny'], r['stages']), r['ops'], r['score']) for r in rows] == entries
    assert not list(files.folder.glob('*.part'))


def test_a_front_without_a_state_is_set_aside(files):
    files.state_path.unlink()
    files.front_path.write_text('of an import')
    files.history_path.write_text('its history')
    files.set_state_aside()
    assert {p.name: p.read_text() for p in files.folder.iterdir()} == {
        'front.json.bak': 'of an import', 'history.jsonl.bak': 'its history'}


def test_states_set_aside_never_replace_each_other(files):
    for generation in (4, 5, 6):
        files.save_state(dict(STATE, generation=generation))
        files.set_state_aside()
    assert files.load_state() is None
    names = sorted(p.name for p in files.folder.iterdir())
    assert names == ['search_state.json.bak', 'search_state.json.bak1', 'search_state.json.bak2']
    found = [json.loads((files.folder / name).read_text())['body']['evolution']['generation'] for name in names]
    assert found == [4, 5, 6]


@pytest.mark.parametrize('harm, words', [('full', 'No space left on device'), ('read-only', 'Read-only file system')])
def test_a_disk_that_takes_no_more_leaves_the_last_state(harm, words, small_disk, capsys):
    run_tool = pytest.importorskip('nasbnn_det.cli').run_tool
    files = SearchFiles(small_disk, IDENTITY)
    files.save_state(STATE)
    if harm == 'full':
        with pytest.raises(OSError), open(small_disk / 'others', 'wb') as file:
            file.write(bytes(10**6))
    else:
        subprocess.run(['mount', '-o', 'remount,ro', small_disk], check=True)
    with pytest.raises(SystemExit):
        run_tool(lambda: files.save_state(dict(STATE, generation=3)))
    said = capsys.readouterr().err
    assert said.startswith('error: ') and words in said and said.count('\n') == 1
    assert files.load_state() == STATE
    assert {path.name for path in small_disk.iterdir()} <= {'search_state.json', 'others'}
