"""The drawing of the rooms in docs/architecture.md is that of the imports, and these run in one direction."""
import pytest
from in_process import ROOT

pytest.importorskip('mmengine')


@pytest.fixture
def draw_rooms(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / 'tools' / 'analysis_tools'))
    import draw_rooms
    return draw_rooms


@pytest.fixture
def package(tmp_path):
    """Three rooms and a module beside them."""
    files = {
        'low/__init__.py': '', 'alone/__init__.py': 'import sys',
        'high/__init__.py': 'from ..low import x\nfrom . import part\n',
        'middle/deep/part.py': 'from ...low.deep import y\nfrom ... import beside\n', 'middle/__init__.py': '',
        'high/part.py': 'if True:\n    import house.middle.deep\n', 'beside.py': 'from .high import part\n'}
    for name, text in files.items():
        path = tmp_path / 'house' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / 'house'


def test_the_drawing_is_that_of_the_imports(draw_rooms):
    page = (ROOT / 'docs' / 'architecture.md').read_text(encoding='utf-8')
    shown = page.split(draw_rooms.BEGIN)[1].split(draw_rooms.END)[0].strip()
    assert shown == draw_rooms.drawing(ROOT / 'nasbnn_det'), 'run tools/analysis_tools/draw_rooms.py'


def test_arrows_that_follow_from_others_are_left_out(draw_rooms, package):
    arrows = dict(alone=set(), high={'low', 'middle'}, low=set(), middle={'low'})
    assert draw_rooms.read_arrows(package, late=False) == arrows
    assert draw_rooms.drawing(package).split('\n')[2:-1] == ['    high --> middle', '    middle --> low', '    alone']


def test_imports_within_functions_are_dotted(draw_rooms, package):
    (package / 'alone' / '__init__.py').write_text('def f():\n    from ..middle import deep\n')
    (package / 'high' / '__init__.py').write_text('def f():\n    from ..low import x\n')
    assert draw_rooms.drawing(package).split('\n')[2:-1] == [
        '    high --> middle', '    middle --> low', '    alone -.-> middle']


def test_a_circle_is_refused(draw_rooms, package):
    (package / 'low' / 'part.py').write_text('def f():\n    from .. import high\n')
    with pytest.raises(ValueError, match="room 'high' imports itself by others"):
        draw_rooms.drawing(package)
