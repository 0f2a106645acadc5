"""``report.json`` and ``report.md``: what each stage of a pipeline did."""
import json
from pathlib import Path
from typing import Any, Dict, Sequence

from ..files import replace_text

_SHOWN = ('name', 'seconds', 'metrics', 'ops', 'files', 'command')


def write_report(records: Sequence[Dict[str, Any]], work_dir: Path) -> Path:
    """Writes the report of a run.

    Args:
        records (Sequence[dict]): What :func:`run_pipeline` gave.
        work_dir (Path): Where the report goes.

    Returns:
        Path: ``report.md``; ``report.json`` stands beside it, with ``stages`` and ``metrics``, the last evaluation.
    """
    stages = [{key: record[key] for key in _SHOWN} for record in records]
    evaluations = [s['metrics'] for s in stages if any('/' in key for key in s['metrics'])]
    report = dict(metrics=evaluations[-1] if evaluations else {}, seconds=sum(s['seconds'] for s in stages),
                  stages=stages)
    replace_text(work_dir / 'report.json', json.dumps(report, indent=1))
    path = work_dir / 'report.md'
    replace_text(path, _markdown(report))
    return path


def _markdown(report: Dict[str, Any]) -> str:
    lines = ['# Report', '', '| stage | seconds | metrics | OPs |', '|---|---|---|---|']
    for stage in report['stages']:
        lines.append(f"| {stage['name']} | {stage['seconds']:.0f} | {as_text(stage['metrics'])} | {as_text(stage['ops'])} |")
    lines += ['', f"{report['seconds'] / 60:.1f} minutes in all.", '', '## Last evaluation', '']
    lines += [f'* `{key}`: {_number(value)}' for key, value in report['metrics'].items()]
    pictures = [f for stage in report['stages'] for f in stage['files'] if f.endswith('.png')]
    lines += ['', '## Pictures', ''] + [f'![{Path(p).stem}]({p})\n' for p in pictures]
    pages = [f for stage in report['stages'] for f in stage['files'] if f.endswith('.html')]
    lines += ['## Pages', '', *(f'* [{Path(p).stem}]({p})' for p in pages), ''] if pages else []
    lines += ['## Files', ''] + [f'* `{f}`' for stage in report['stages'] for f in stage['files']]
    lines += ['', '## Commands', '', '```'] + [' '.join(stage['command']) for stage in report['stages']] + ['```', '']
    return '\n'.join(lines)


def as_text(values: Dict[str, Any]) -> str:
    """Numbers by name in one line."""
    return ', '.join(f'{key} {_number(value)}' for key, value in values.items())


def _number(value: Any) -> str:
    return f'{value:.4g}' if isinstance(value, float) else str(value)
