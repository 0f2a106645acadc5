"""A training on one page: an HTML file that needs no other file, no network and no JavaScript."""
import base64
import math
from html import escape
from pathlib import Path
from typing import Any, Dict, Iterable, List, Mapping, Sequence, Tuple

from .html_page import html_page, html_table
from .run_facts import RunFacts
from .run_log import RunLog
from .svg_chart import curves_svg

_TYPES = {'.png': 'image/png', '.jpg': 'image/jpeg', '.jpeg': 'image/jpeg'}
_MOST_PICTURES = 12
_MOST_BYTES = 4_000_000  # of a picture
_PRECISION = '_precision'  # ends the names of a class's metric
_NO_METRICS = ('step', 'time', 'data_time', 'memory', 'epoch', 'iter')


def run_report(facts: RunFacts) -> str:
    """The page.

    Args:
        facts (RunFacts): What is known of the training.

    Returns:
        str: HTML.
    """
    parts = [_overview(facts), _data(facts), _curves(facts.log), _metrics(facts), _classes(facts), _pictures(facts.pictures)]
    return html_page(facts.name, parts)


def score_name(log: RunLog) -> str:
    """The metric that tells the best epoch: mAP or accuracy, else the first; '' if nothing was validated."""
    names = _metric_names(log)
    return next((name for wanted in ('bbox_mAP', 'mAP', 'top1') for name in names if name.endswith(wanted)),
                names[0] if names else '')


def best_validation(log: RunLog) -> Dict[str, Any]:
    """The row of the best validation; empty if nothing was validated."""
    name = score_name(log)
    rows = [row for row in log.val if _is_finite(row.get(name))]
    return max(rows, key=lambda row: row[name]) if rows else {}


def _overview(facts: RunFacts) -> str:
    best, name = best_validation(facts.log), score_name(facts.log)
    rows: List[Tuple[str, str]] = []
    if best:
        rows.append((f'best {name}', f'{_number(best[name])} ({facts.log.unit} {best["step"]})'))
    if facts.log.train:
        last = facts.log.train[-1]
        done = f'{last["epoch"]} epochs, {last["step"]} steps' if 'epoch' in last else f'{last["step"]} steps'
        rows.append(('trained', done))
    if facts.log.seconds:
        rows.append(('time taken, all parts', _duration(facts.log.seconds)))
    steps = [row['time'] for row in facts.log.train if _is_finite(row.get('time'))]
    if steps:
        rows.append(('a step', f'{sum(steps) / len(steps):.3f} s, mean'))
    memory = [row['memory'] for row in facts.log.train if _is_finite(row.get('memory'))]
    if memory:
        rows.append(('GPU memory', f'{max(memory)} MB'))
    rows += [('best checkpoint' if file.startswith('best_') else 'latest checkpoint', file) for file in facts.checkpoints]
    return html_table('', ['', ''], [*rows, *facts.settings.items()], head=False)


def _data(facts: RunFacts) -> str:
    rows = []
    for words, split in facts.splits.items():
        if split.images is None:
            rows.append((words, split.file, 'not found', '', ''))
        else:
            rows.append((words, split.file, str(split.images), str(split.empty), str(sum(split.objects.values()))))
    heads = ['', 'annotation file', 'images', 'without objects', 'objects']
    return '<h2>Data</h2>\n' + html_table('', heads, rows, numbers=(2, 3, 4)) if rows else ''


def _curves(log: RunLog) -> str:
    losses = [name for name in dict.fromkeys(key for row in log.train for key in row) if 'loss' in name]
    charts = [
        ('Losses', 'step', {name: _points(log.train, name) for name in losses}),
        ('Learning rate', 'step', {'lr': _points(log.train, 'lr')}),
        ('Metrics of the validations', log.unit, {name: _points(log.val, name) for name in _metric_names(log)[:6]})]
    figures = []
    for title, unit, curves in charts:
        curves = {name: points for name, points in curves.items() if points}
        if curves:
            figures.append(f'<figure><figcaption>{title}</figcaption>{curves_svg(curves, unit)}</figure>')
    return '<h2>Curves</h2>\n' + '\n'.join(figures) if figures else ''


def _metrics(facts: RunFacts) -> str:
    log = facts.log
    names = list(dict.fromkeys([*_metric_names(log), *(n for n in facts.test if not n.endswith(_PRECISION))]))
    columns: Dict[str, Mapping[str, Any]] = {}
    if log.val:
        best, last = best_validation(log), log.val[-1]
        columns[f'best validation, {log.unit} {best["step"]}' if best else 'best validation'] = best
        columns[f'last validation, {log.unit} {last["step"]}'] = last
    if facts.test:
        columns['result.json'] = facts.test
    rows = [(name, *(_number(column.get(name)) for column in columns.values())) for name in names]
    note = '<p class="note">– : no number, as where there is no object of that size.</p>'
    return ('<h2>Metrics</h2>\n' + html_table('', ['metric', *columns], rows, numbers=range(1, len(columns) + 1)) + note
            if rows else '')


def _classes(facts: RunFacts) -> str:
    """Objects and precision by class; the precision is that of a test, else of the best validation that has it."""
    measured: Mapping[str, Any] = facts.test
    words = 'AP, result.json'
    if not any(name.endswith(_PRECISION) for name in measured):
        measured = best_validation(facts.log)
        words = f'AP, best validation ({facts.log.unit} {measured["step"]})' if measured else ''
    precision = {name.partition('/')[2][:-len(_PRECISION)]: value for name, value in measured.items()
                 if name.endswith(_PRECISION)}
    names = facts.classes or tuple(precision)
    if not names:
        return ''
    known = {split: found.objects for split, found in facts.splits.items() if found.images is not None}
    heads = ['class', *(f'objects, {split}' for split in known), *([words] if precision else [])]
    rows = [(name, *(str(objects[name]) for objects in known.values()),
             *([_number(precision.get(name))] if precision else [])) for name in names]
    note = '' if precision else ('<p class="note">No precision by class was measured; val_evaluator.classwise=True and '
                                 'test_evaluator.classwise=True measure it.</p>')
    return '<h2>Classes</h2>\n' + html_table('', heads, rows, numbers=range(1, len(heads))) + note


def _pictures(paths: Sequence[Path]) -> str:
    small = [path for path in paths if path.stat().st_size <= _MOST_BYTES]
    figures = []
    for path in small[:_MOST_PICTURES]:
        content = base64.b64encode(path.read_bytes()).decode()
        figures.append(f'<figure><img alt="{escape(path.name)}" src="data:{_TYPES[path.suffix.lower()]};base64,{content}">'
                       f'<figcaption>{escape(path.name)}</figcaption></figure>')
    left = len(paths) - len(figures)
    note = f'<p class="note">{left} more pictures are in the folder.</p>' if left else ''
    return '<h2>Pictures</h2>\n' + '\n'.join(figures) + note if figures else ''


def _metric_names(log: RunLog) -> List[str]:
    """Metrics of the validations without those of single classes, in the order of the logs."""
    names = dict.fromkeys(name for row in log.val for name, value in row.items() if isinstance(value, (int, float)))
    return [name for name in names if name not in _NO_METRICS and not name.endswith(_PRECISION)]


def _points(rows: Iterable[Mapping[str, Any]], name: str) -> Dict[int, float]:
    # COCO's -1 is no value.
    return {int(row['step']): float(row[name]) for row in rows if _is_finite(row.get(name)) and row[name] != -1}


def _is_finite(value: Any) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)


def _number(value: Any) -> str:
    return f'{value:.3f}' if _is_finite(value) and value != -1 else '–'


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f'{hours} h {minutes} min' if hours else f'{minutes} min {rest} s'
