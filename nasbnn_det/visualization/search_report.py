"""A search on one page: an HTML file that needs no other file and no network."""
from html import escape
from typing import List, Sequence, Tuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from ..arch import FrontEntry
from ..search.comparison import mean_best
from .arch_drawing import arch_svg
from .html_page import html_page, html_table
from .search_facts import SearchFacts
from .svg_chart import chart_svg

_RED, _GREY = '#c0392b', '#b6bfc9'
_WIDTH, _HEIGHT = 900, 420
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 14, 12, 46  # margins of the front's chart
_STYLE = '''
.point circle { stroke: #c0392b; stroke-width: 1.6; fill: #fff } .point.optimal circle { fill: #c0392b }
.point:hover circle, .point:focus circle { r: 8 } .point:focus { outline: none }
.point.chosen circle { stroke: #173f66; stroke-width: 4; r: 8 }
.arch { border: 1px solid #ddd; border-radius: .4rem; padding: .2rem 1rem 1rem; margin: 1rem 0 } .arch h3 { margin: .6rem 0 }
.arch[hidden] { display: none } .line { display: flex; margin-top: 1rem; gap: .6rem; align-items: center }
.line code { overflow-x: auto; white-space: pre; background: #f4f4f4; padding: .4rem .6rem; flex: 1; min-width: 0 }
button { font: inherit; padding: .3rem .9rem; cursor: pointer; white-space: nowrap }
.drawing { max-width: none } .legend { color: #555; font-size: .9rem } tr.chosen { background: #eef4fa }
'''
# Without it all architectures are shown one below the other, and points lead to them.
_SCRIPT = '''
const all = (selector) => [...document.querySelectorAll(selector)];
function choose(id) {
  if (!document.getElementById(id)) return;
  all('.arch').forEach((found) => { found.hidden = found.id !== id; });
  all('[data-arch]').forEach((found) => found.classList.toggle('chosen', found.dataset.arch === id));
}
function chooseByAddress() { choose(location.hash.slice(1) || document.body.querySelector('.arch.best').id); }
all('a[href^="#arch-"]').forEach((link) => link.addEventListener('click', (event) => {
  event.preventDefault();
  const id = (link.getAttribute('href')).slice(1);
  history.replaceState(null, '', '#' + id);
  choose(id);
  if (link.closest('table')) document.getElementById(id).scrollIntoView({ block: 'nearest' });
}));
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch (refused) {
    const area = document.body.appendChild(document.createElement('textarea'));
    area.value = text;
    area.select();
    const done = document.execCommand('copy');
    area.remove();
    if (!done) throw refused;
  }
}
all('button').forEach((button) => button.addEventListener('click', async () => {
  const words = button.textContent;
  try {
    await copy(button.parentElement.querySelector('code').textContent);
    button.textContent = 'copied';
  } catch (refused) {
    button.textContent = 'the browser refuses; mark and copy the line';
  }
  setTimeout(() => { button.textContent = words; }, 1500);
}));
addEventListener('hashchange', chooseByAddress);
chooseByAddress();
'''


def search_report(facts: SearchFacts, name: str) -> str:
    """The page.

    Args:
        facts (SearchFacts): What is known of the search.
        name (str): Its title.

    Returns:
        str: HTML.
    """
    return html_page(name, [_overview(facts), _front(facts), _archs(facts), _history(facts), _table(facts)], _STYLE, _SCRIPT)


def config_line(facts: SearchFacts, entry: FrontEntry) -> str:
    """The line of a config that names an entry of the front: by a limit of OPs, or written out where none names it."""
    limit = facts.front.limit_of(entry)
    # Without _delete_ MMEngine would merge it into the architecture of an inherited config.
    written_out = dict(_delete_=True, **entry.arch.to_dict())
    return f'arch={written_out!r}' if limit is None else f"arch={f'{facts.front_file}#{limit}'!r}"


def _overview(facts: SearchFacts) -> str:
    best = facts.front.best()
    rows = [('architectures evaluated', str(len(facts.visits))),
            *([('generations', f'{len(facts.generations) - 1} after the random one')] if facts.generations else []),
            ('on the front', f'{len(facts.front.entries)}, of them {sum(facts.optimal)} Pareto-optimal'),
            ('best', f'{_score(best.score)} at {_millions(best.ops)} OPs'), *facts.settings.items()]
    return html_table('', ['', ''], rows, head=False)


def _front(facts: SearchFacts) -> str:
    """The chart whose points lead to the architectures."""
    ops = [visit.ops / 1e6 for visit in facts.visits]
    scores = [visit.score for visit in facts.visits]
    xs, ys = _ticks(ops), _ticks(scores)

    def place(entry_ops: float, score: float) -> Tuple[float, float]:
        x = (entry_ops / 1e6 - xs[0]) / (xs[-1] - xs[0])
        y = (score - ys[0]) / (ys[-1] - ys[0])
        return _LEFT + x * (_WIDTH - _LEFT - _RIGHT), _HEIGHT - _BOTTOM - y * (_HEIGHT - _TOP - _BOTTOM)

    lines, texts = [], []
    for tick in xs:
        x, bottom = place(tick * 1e6, ys[0])
        lines.append(f'M{x:.1f} {bottom:.1f}V{_TOP}')
        texts.append(f'<text x="{x:.1f}" y="{bottom + 18:.1f}" text-anchor="middle">{tick:g}</text>')
    for tick in ys:
        left, y = place(xs[0] * 1e6, tick)
        lines.append(f'M{left:.1f} {y:.1f}H{_WIDTH - _RIGHT}')
        texts.append(f'<text x="{left - 8:.1f}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>')
    metric = escape(str(facts.front.info.get('metric', 'score')))
    texts.append(f'<text x="{(_WIDTH + _LEFT) / 2}" y="{_HEIGHT - 6}" text-anchor="middle">OPs (million)</text>')
    texts.append(f'<text transform="translate(14 {_HEIGHT / 2}) rotate(-90)" text-anchor="middle">{metric}</text>')
    visited = ''.join('<circle cx="{:.1f}" cy="{:.1f}" r="2"/>'.format(*place(*visit)) for visit in facts.visits)
    steps = [place(entry.ops, entry.score) for entry in facts.front.pareto]
    path = 'L'.join(f'{x:.1f} {y:.1f}' for x, y in steps)
    points = []
    for i, (entry, optimal) in enumerate(zip(facts.front.entries, facts.optimal)):
        x, y = place(entry.ops, entry.score)
        words = f'No. {i + 1}: {_millions(entry.ops)} OPs, {_score(entry.score)}'
        points.append(f'<a href="#arch-{i + 1}" data-arch="arch-{i + 1}" class="point{" optimal" if optimal else ""}">'
                      f'<title>{words}</title><circle cx="{x:.1f}" cy="{y:.1f}" r="5"/></a>')
    return ('<h2>Front</h2>\n<figure><figcaption>Filled: Pareto-optimal, none with as few OPs is as good. Hollow: the best '
            'of its bucket of OPs, but beaten by one with fewer. Grey: all others that were evaluated. Choose a '
            f'point.</figcaption>\n<svg id="front" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}" '
            f'font-size="12" fill="#333"><path d="{"".join(lines)}" stroke="#e4e4e4"/>{"".join(texts)}'
            f'<g fill="{_GREY}">{visited}</g><path d="M{path}" stroke="{_RED}" fill="none"/>{"".join(points)}'
            '</svg></figure>')


def _archs(facts: SearchFacts) -> str:
    """Every architecture of the front; the script shows one."""
    entries, size = facts.front.entries, facts.front.info.get('input_size')
    best, sections = facts.front.best(), []
    for i, (entry, optimal) in enumerate(zip(entries, facts.optimal)):
        if optimal:
            state = 'Pareto-optimal'
        else:
            better = [other for other in facts.front.pareto if other.ops <= entry.ops][-1]
            state = (f'beaten by No. {entries.index(better) + 1}, so that no limit of OPs names it and the line below '
                     'writes it out')
        depth = sum(len(blocks) for blocks in entry.arch.stages[1:])
        words = f'{_millions(entry.ops)} OPs, {_score(entry.score)}, {depth} blocks after the stem; {state}.'
        sections.append(
            f'<section class="arch{" best" if entry is best else ""}" id="arch-{i + 1}">'
            f'<h3>No. {i + 1} of {len(entries)}</h3><p>{words}</p><div class="wide">{arch_svg(entry.arch, size)}</div>'
            f'<div class="line"><code>{escape(config_line(facts, entry), quote=False)}</code>'
            '<button type="button">copy</button></div></section>')
    legend = ('<p class="legend">Each block is a k x k convolution (blue; wider and darker: the larger kernel) and a 1 x 1 '
              'convolution (yellow). Height: channels. White cuts: groups. Below: channels, kernel, groups; then the stage '
              'with its stride, the size of its maps and its depth.</p>')
    return '\n'.join([*sections, legend])


def _history(facts: SearchFacts) -> str:
    """How far the search had come after each candidate, and by generation."""
    scores = np.array([visit.score for visit in facts.visits])
    best, mean = np.maximum.accumulate(scores), mean_best(facts.visits, [entry.ops for entry in facts.front.entries])
    numbers, ends = np.arange(1, len(scores) + 1), np.cumsum(facts.generations, dtype=int)

    def draw(axes: Axes) -> None:
        axes.grid(visible=False, axis='x')
        axes.plot(numbers, scores, '.', ms=3, color=_GREY, label='a candidate')
        axes.plot(numbers, best, lw=1.6, color=_RED, label='best so far')
        axes.plot(numbers, mean, lw=1.6, color='#2f6ca8', label='mean of the front so far')
        for end in ends[:-1]:
            axes.axvline(end + 0.5, color='#777', lw=0.8, ls=':')
        axes.set_xlabel('candidates evaluated')
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.set_ylabel(str(facts.front.info.get('metric', 'score')))

    rows = [(str(i), str(size), _score(scores[end - size:end].max()), _score(best[end - 1]), _score(mean[end - 1]))
            for i, (size, end) in enumerate(zip(facts.generations, ends))]
    heads = ['generation', 'evaluated', 'best of it', 'best so far', 'mean of the front so far']
    words = ('Dotted lines: where a generation ends. ' if facts.generations else '') + (
        'Mean of the front: the best score within the OPs of each point of the final front, on average; there once the '
        'smallest is in reach.')
    return (f'<h2>History</h2>\n<figure><figcaption>{words}</figcaption>{chart_svg(draw)}</figure>'
            + (html_table('', heads, rows, numbers=range(5)) if rows else ''))


def _table(facts: SearchFacts) -> str:
    """The front in figures, each row with a link to its drawing."""
    rows: List[str] = []
    for i, (entry, optimal) in enumerate(zip(facts.front.entries, facts.optimal), start=1):
        numbers = ''.join(f'<td class="n">{cell}</td>' for cell in (
            f'<a href="#arch-{i}">{i}</a>', f'{entry.ops / 1e6:.2f}', _score(entry.score)))
        rows.append(f'<tr data-arch="arch-{i}">{numbers}<td>{"yes" if optimal else ""}</td><td>{_channels(entry)}</td></tr>')
    heads = ''.join(f'<th class="n">{head}</th>' for head in ('No.', 'OPs (million)', 'score'))
    return ('<h2>All of the front</h2>\n<div class="wide"><table>\n<thead><tr>' + heads + '<th>Pareto-optimal</th>'
            '<th>channels, block by block</th></tr></thead>\n<tbody>' + '\n'.join(rows) + '</tbody>\n</table></div>')


def _channels(entry: FrontEntry) -> str:
    return ' | '.join(' '.join(str(block.channels) for block in blocks) for blocks in entry.arch.stages)


def _ticks(values: Sequence[float]) -> List[float]:
    """Round numbers that begin below all values and end above them."""
    low, high = min(values), max(values)
    margin = (high - low) * 0.03 or abs(high) * 0.1 or 1.0
    return [float(tick) for tick in MaxNLocator(nbins=9).tick_values(low - margin, high + margin)]


def _score(score: float) -> str:
    return f'{score:.3f}'


def _millions(ops: float) -> str:
    return f'{ops / 1e6:.2f}M'
