"""Files are whole or not there."""
import pytest

from nasbnn_det.files import replace_text, replacing


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
