"""A search on one page: the figures, the drawings, and in a browser the click and the line that it copies."""
import re
from html import unescape

import numpy as np
import pytest
from chromium import EXECUTABLE, chromium
from mmengine.config import Config

from nasbnn_det.arch import SPACES, Arch, Front, FrontEntry, load_arch
from nasbnn_det.costs import count_ops
from nasbnn_det.search.evolution import Evolution, EvolutionConfig
from nasbnn_det.search.sampling import OpsWindow
from nasbnn_det.search.state import SearchFiles
from nasbnn_det.visualization.arch_drawing import arch_svg
from nasbnn_det.visualization.search_facts import read_search
from nasbnn_det.visualization.search_report import config_line, search_report

TINY = SPACES['tiny']


def count(arch):
    return count_ops(arch, (48, 48), 5).ops


@pytest.fixture
def folder(tmp_path):
    """The folder of a finished search with noisy scores, so that its front has beaten entries."""
    rng, config = np.random.default_rng(0), EvolutionConfig(40, 10, 10, 3, bucket=4e4)
    evolution = Evolution(TINY, OpsWindow(2e5, 9e5), count, config)
    while not evolution.finished:
        archs = evolution.propose()
        evolution.tell(archs, [count(arch) / 1e5 + rng.normal() for arch in archs])
    files = SearchFiles(tmp_path / "a <b> 'search'", dict(evolution=vars(config), window=[2e5, 9e5]))
    files.save_front(evolution.front(), dict(metric='accuracy/top1', bucket=4e4, input_size=[48, 48], seed=0))
    files.save_history(list(evolution.visited.values()))
    files.save_state(evolution.state_dict())
    return files.folder


def test_lines_name_the_very_architectures(folder, tmp_path):
    facts = read_search(folder)
    assert 2 < sum(facts.optimal) < len(facts.optimal) - 2
    for entry, optimal in zip(facts.front.entries, facts.optimal):
        line = config_line(facts, entry)
        assert ('front.json#' in line) == optimal
        for base in ('', 'arch=1', "arch='front.json'", f'arch={Arch.smallest(TINY).to_dict()}', "arch=dict(space='tiny')"):
            (tmp_path / 'base.py').write_text(f'backbone = dict({base})\n')
            (tmp_path / 'child.py').write_text(f"_base_ = './base.py'\nbackbone = dict({line})\n")
            assert load_arch(Config.fromfile(tmp_path / 'child.py').to_dict()['backbone']['arch']) == entry.arch


def test_limits_are_short():
    archs = [Arch.smallest(TINY), Arch.biggest(TINY)]
    front = Front((FrontEntry(archs[0], 56.2e6, 1.0), FrontEntry(archs[1], 56.9e6, 2.0), FrontEntry(archs[1], 57e6, 2.0)))
    assert [front.limit_of(entry) for entry in front.entries] == ['56.2', '57', None]


def test_the_page_stands_by_itself_and_has_the_numbers(folder, run_tool):
    done = run_tool('tools/analysis_tools/report_search.py', folder)
    assert done.returncode == 0, done.stderr
    text, front = (folder / 'search.html').read_text(encoding='utf-8'), Front.load(folder / 'front.json')
    assert not re.search(r'(?:src|href)="(?!#)|@import|url\((?!#)|<(?:link|iframe|object|embed|base)\b', text)
    assert text.count('class="drawing"') == text.count('<section') == len(front.entries)
    assert text.count('class="point optimal"') == len(front.pareto)
    assert text.count('class="point"') == len(front.entries) - len(front.pareto)
    words = unescape(re.sub(r'<[^>]*>', '|', text))
    for known in ("Search a <b> 'search'", 'architectures evaluated||100|', '3 after the random one', '0.2 to 0.9 million',
                  f'{len(front.entries)}, of them {len(front.pareto)} Pareto-optimal', '48 x 48 px'):
        assert known in words, known
    assert len(re.findall(r'\|\|\d\|\|(?:40|20)\|', words)) == 4  # generations


def test_unknown_generations_are_not_made_up(folder):
    (folder / 'search_state.json').unlink()
    facts = read_search(folder)
    assert facts.generations == [] and 'Dotted lines' not in search_report(facts, 'name')


def test_a_drawing_tells_every_choice():
    arch = Arch.biggest(TINY)
    svg = arch_svg(arch, (48, 48))
    titles = re.findall('<title>(.*?)</title>', svg)
    assert len(titles) == sum(map(len, arch.stages))
    assert titles[0] == 'stage 0, block 1: 32 channels, 3 x 3'
    assert titles[-1] == 'stage 4, block 2: 384 channels, 5 x 5 in 4 groups, then 1 x 1'
    assert svg.count('<rect') == 2 * len(titles) - 1 and '/32, 2x2' in svg and '2 blocks' in svg


def test_bad_folders_are_named(folder, tmp_path, run_tool):
    def complaint(*args):
        done = run_tool('tools/analysis_tools/report_search.py', *args)
        assert done.returncode == 1 and done.stderr.count('\n') == 1, done.stderr
        return done.stderr

    assert 'is no folder' in complaint(tmp_path / 'none')
    assert "front.json' does not exist" in complaint(tmp_path)
    assert 'must end in .html' in complaint(folder, '--out', folder / 'front.json')
    history = folder / 'history.jsonl'
    history.write_text(''.join(history.read_text().splitlines(keepends=True)[:20]))
    assert 'are not in history.jsonl' in complaint(folder)
    history.unlink()
    assert "history.jsonl' does not exist" in complaint(folder)


@pytest.mark.skipif(EXECUTABLE is None, reason='needs Chromium')
def test_in_a_browser_a_click_shows_and_copies(folder, tmp_path):
    facts = read_search(folder)
    page = folder / 'search.html'
    page.write_text(search_report(facts, 'a search'), encoding='utf-8')
    shown = "[...document.querySelectorAll('.arch')].filter((a) => a.offsetParent !== null).map((a) => a.id)"
    with chromium(tmp_path / 'profile') as browser:
        browser.command('Browser.grantPermissions', permissions=['clipboardReadWrite'])
        browser.open(page.as_uri())
        assert browser.run(shown) == [f'arch-{1 + facts.front.entries.index(facts.front.best())}']
        optimal, beaten = facts.optimal.index(True) + 1, facts.optimal.index(False) + 1
        for number in (optimal, beaten):
            browser.click(f'.point[data-arch="arch-{number}"] circle')
            assert browser.run(shown) == [f'arch-{number}']
            entry = facts.front.entries[number - 1]
            words = browser.run(f'document.querySelector("#arch-{number}").innerText')
            assert f'{entry.ops / 1e6:.2f}M OPs, {entry.score:.3f}' in words
            assert browser.run(f'document.querySelector("#arch-{number} svg.drawing").getBoundingClientRect().width') > 100
            browser.click(f'#arch-{number} button')
            said = f"document.querySelector('#arch-{number} button').textContent"
            assert browser.run(f"(async () => {{ while ({said} === 'copy') await new Promise((go) => setTimeout(go, 20)); "
                               f'return {said}; }})()') == 'copied'
            assert browser.run('navigator.clipboard.readText()') == config_line(facts, entry)
        browser.click(f'td a[href="#arch-{optimal}"]')
        assert browser.run(shown) == [f'arch-{optimal}']
        assert not browser.complaints() and set(browser.requests()) == {page.as_uri()}
        browser.open('about:blank')
        browser.open(f'{page.as_uri()}#arch-{beaten}')
        assert browser.run(shown) == [f'arch-{beaten}']
