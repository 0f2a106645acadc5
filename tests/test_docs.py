"""What the pages import and link to is there, and the README's example runs."""
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / 'README.md', *sorted((ROOT / 'docs').glob('*.md'))]
LINKING = [*PAGES, ROOT / 'CONTRIBUTING.md', ROOT / 'CHANGELOG.md', *sorted((ROOT / 'configs').rglob('*.md'))]
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


def anchors(page):
    """What a page's headings are called in links."""
    prose = re.sub(r'^```.*?^```$', '', page.read_text(encoding='utf-8'), flags=re.M | re.S)
    headings = re.findall(r'^#+ (.+)$', prose, re.M)
    return {re.sub(r'[^\w\- ]', '', heading.lower()).replace(' ', '-') for heading in headings}


@pytest.mark.parametrize('page', LINKING, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_links_to_is_there(page):
    broken = []
    for link in re.findall(r'\]\((?!https?://)([^)\s]+)\)', page.read_text(encoding='utf-8')):
        name, _, anchor = link.partition('#')
        target = page.parent / name if name else page
        if not target.exists() or anchor and anchor not in anchors(target):
            broken.append(link)
    assert not broken


def test_the_index_names_every_page():
    index = (ROOT / 'docs' / 'README.md').read_text(encoding='utf-8')
    assert not [page.name for page in PAGES[1:] if page.name != 'README.md' and f'({page.name}' not in index]
