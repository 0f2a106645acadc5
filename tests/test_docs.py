"""What the pages import is there, and the README's example runs."""
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / 'README.md', *sorted((ROOT / 'docs').glob('*.md'))]
IMPORTS = sorted({line for page in PAGES for line in re.findall(
    r'^(?:from nasbnn_det[\w.]* import [\w, ]+\w|import nasbnn_det[\w.]*)', page.read_text(encoding='utf-8'), re.M)})


@pytest.mark.parametrize('line', IMPORTS)
def test_what_the_pages_import_is_there(line):
    exec(line, {})


def test_the_readme_s_example_runs(capsys):
    example, = (text for text in re.findall(r'```python\n(.*?)```', PAGES[0].read_text(encoding='utf-8'), re.S)
                if 'count_ops' in text)
    exec(example, {})
    assert re.fullmatch(r'imagenet\[.*\] \d+\.\d+ M OPs\n', capsys.readouterr().out)
