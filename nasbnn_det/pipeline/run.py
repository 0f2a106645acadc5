"""Runs stages as processes of their own: what a crash of one leaves behind is continued by the next start."""
import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

from ..files import read_log, replace_text
from .progress import Progress
from .stage import PipelineError, Stage, StageFolder

_DONE = 'stage.json'


def run_pipeline(stages: Sequence[Stage], root: Path, work_dir: Path, data_root: str) -> List[Dict[str, Any]]:
    """Runs the stages in order; finished ones are skipped, a broken one is continued.

    Args:
        stages (Sequence[Stage]): The stages.
        root (Path): The project's root, in which the tools lie.
        work_dir (Path): Folder of the whole run; each stage has a folder in it.
        data_root (str): What ``{data_root}`` stands for.

    Returns:
        list[dict]: Per stage its name, seconds, command, metrics, OPs and files.

    Raises:
        PipelineError: If a stage fails, or was finished with other settings.
    """
    work_dir.mkdir(parents=True, exist_ok=True)
    places: Dict[str, Any] = dict(data_root=data_root, work_dir=str(work_dir))
    records: List[Dict[str, Any]] = []
    before = ''
    for number, stage in enumerate(stages, start=1):
        folder = work_dir / stage.name
        title = f'[{number}/{len(stages)}] {stage.name}'
        command = stage.command({**places, 'stage_dir': str(folder)})
        fingerprint = stage.fingerprint(command, [root / a for a in command if a.startswith('configs/')], before)
        record = _finished(folder, stage, fingerprint)
        if record is None:
            record = _run_stage(stage, title, root, folder, command, fingerprint)
        else:
            print(f'{title}: finished before, skipped', flush=True)
        records.append(record)
        # A stage done anew makes those after it stale.
        before = f"{record['fingerprint']} {record['finished']}"
        places[stage.name] = StageFolder(folder)
    return records


def _finished(folder: Path, stage: Stage, fingerprint: str) -> Optional[Dict[str, Any]]:
    """The record of a finished stage, or None if it has to be run."""
    path = folder / _DONE
    if not path.is_file():
        return None
    record = json.loads(path.read_text(encoding='utf-8'))
    if record['fingerprint'] != fingerprint:
        raise PipelineError(f"stage '{stage.name}' was finished in '{folder}' with other settings; move that folder "
                            'and those of the stages after it away, or choose another --work-dir')
    return record


def _run_stage(stage: Stage, title: str, root: Path, folder: Path, command: List[str],
               fingerprint: str) -> Dict[str, Any]:
    started_before = folder.is_dir()
    folder.mkdir(parents=True, exist_ok=True)
    if stage.resume and started_before:
        command = command + ['--resume']
    print(f'{title}: {stage.tool}{" (continued)" if started_before else ""}', flush=True)
    seconds = _execute([sys.executable, str(root / stage.tool), *command], root, folder / 'log.txt', title)
    # A continued stage adds up the time of its parts.
    timing = folder / 'seconds.json'
    if timing.is_file():
        seconds += json.loads(timing.read_text(encoding='utf-8'))
    result = _read_json(folder / 'result.json', {})
    record = dict(
        name=stage.name, seconds=round(seconds, 1), command=[stage.tool, *command],
        metrics=result.get('metrics', _training_metrics(folder)), ops=_operations(result),
        files=result.get('files', _files(folder)), fingerprint=fingerprint, finished=time.time())
    replace_text(folder / _DONE, json.dumps(record, indent=1))
    return record


def _execute(command: List[str], root: Path, log: Path, title: str) -> float:
    """Runs a command, its output in a log, its progress on the terminal; returns the seconds it took."""
    start = time.monotonic()
    progress = Progress(title)
    with open(log, 'a', encoding='utf-8') as file:
        process = subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                   errors='replace', env={**os.environ, 'PYTHONUNBUFFERED': '1'},
                                   preexec_fn=_end_with_parent)
        last = ''
        try:
            assert process.stdout is not None
            for line in process.stdout:
                file.write(line)
                file.flush()
                last = line.strip() or last
                progress.show(line)
            code = process.wait()
        except BaseException:
            process.terminate()
            process.wait()
            _add_seconds(log.parent, time.monotonic() - start)
            raise
    progress.close()
    seconds = time.monotonic() - start
    if code:
        _add_seconds(log.parent, seconds)
        raise PipelineError(f"{title} failed with exit status {code}: {last} (log: '{log}'); start again to continue")
    return seconds


def _end_with_parent() -> None:
    """In a new process on Linux: who kills the pipeline kills its stage, or the next start finds it still writing."""
    if sys.platform == 'linux':
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def _add_seconds(folder: Path, seconds: float) -> None:
    path = folder / 'seconds.json'
    replace_text(path, json.dumps(_read_json(path, 0) + seconds))


def _operations(result: Dict[str, Any]) -> Dict[str, float]:
    """A stage's operations: a dict of its own, or from the plain counts that get_ops.py gives."""
    if isinstance(result.get('ops'), (int, float)):
        return dict(ops_m=result['ops'] / 1e6, binary_share=result['binary_share'])
    return result.get('ops', {})


def _training_metrics(folder: Path) -> Dict[str, float]:
    """First and last loss and the last validation of an MMEngine training."""
    rows: List[Dict[str, Any]] = []
    for path in sorted(folder.glob('*/vis_data/scalars.json')):
        rows += read_log(path)
    losses = [row['loss'] for row in rows if 'loss' in row]
    metrics = dict(first_loss=losses[0], last_loss=losses[-1]) if losses else {}
    validations = [row for row in rows if 'loss' not in row]
    if validations:
        metrics.update({k: v for k, v in validations[-1].items() if isinstance(v, float) and '/' in k})
    return metrics


def _files(folder: Path) -> List[str]:
    """What a stage wrote that a person may want to open."""
    wanted = ('*.pth', '*.png', '*.html', 'front.json', 'history.jsonl')
    return sorted(str(p.relative_to(folder.parent)) for pattern in wanted for p in folder.glob(pattern))


def _read_json(path: Path, default: Any) -> Any:
    return json.loads(path.read_text(encoding='utf-8')) if path.is_file() else default
