"""Files are whole or not there."""
import os

import pytest

from nasbnn_det.files import read_log, replace_text, replacing, result_file


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / 'folder' / 'a.json'
    replace_text(path, 'old')
    with pytest.raises(RuntimeError):
        with replacing(path) as part:
            part.write_text('half')
            assert path.read_text() == 'old'
            raise RuntimeError
    assert path.read_text() == 'old' and [p.name for p in path.parent.iterdir()] == ['a.json']
    replace_text(path, 'neu: ü')
    assert path.read_text(encoding='utf-8') == 'neu: ü'


def test_files_beside_it_are_left_and_modes_are_the_users(tmp_path):
    for name in ('a.json.part', '.a.json'):
        (tmp_path / name).write_text('mine')
    before = os.umask(0o027)
    try:
        replace_text(tmp_path / 'a.json', 'new')
    finally:
        os.umask(before)
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {
        'a.json.part': 'mine', '.a.json': 'mine', 'a.json': 'new'}
    assert (tmp_path / 'a.json').stat().st_mode & 0o777 == 0o640


def test_bytes_of_a_command_line_come_out_as_they_went_in(tmp_path):
    replace_text(tmp_path / 'a.json', b'\xc3\xbc'.decode('ascii', 'surrogateescape'))
    assert (tmp_path / 'a.json').read_text(encoding='utf-8') == 'ü'


def test_a_folder_in_the_place_of_a_file_is_named(tmp_path):
    with pytest.raises(ValueError, match=f"'{tmp_path}' is a folder; name a file"):
        replace_text(tmp_path, 'text')


@pytest.mark.parametrize('content', ['[{"image_id": 1}]', '{"mine": 1}', 'no json', '3', ''])
def test_a_result_of_somebody_else_is_not_replaced(content, tmp_path):
    assert result_file(tmp_path / 'new') == tmp_path / 'new' / 'result.json'
    path = result_file(tmp_path)
    path.write_text('{"metrics": {}}')
    assert result_file(tmp_path) == path
    path.write_text(content)
    with pytest.raises(ValueError, match='no result of this project'):
        result_file(tmp_path)


def test_a_torn_line_of_a_log_is_left_out(tmp_path):
    path = tmp_path / 'log.json'
    path.write_bytes(b'{"loss": 1.5}\n\n{"loss": 0.5, "na\xc3\n{"loss": 2}\n3')
    assert read_log(path) == [{'loss': 1.5}, {'loss': 2}]
