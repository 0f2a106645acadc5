"""What a work directory tells of a training beside its logs: settings, data, checkpoints, pictures, a test's result."""
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple
from typing import Counter as CounterType

from mmengine.config import Config

from ..datasets import read_coco_file
from .run_log import RunLog, read_run

_PICTURES = ('.png', '.jpg', '.jpeg')


class SplitFacts(NamedTuple):
    """A data set of the config.

    Args:
        file (str): Its annotation file, as the config names it.
        images (int, optional): How many there are; None if the file is not there.
        empty (int): Images without objects of the classes.
        objects (Counter[str]): Objects by class.
    """
    file: str
    images: Optional[int]
    empty: int
    objects: CounterType[str]


class RunFacts(NamedTuple):
    """All that is known of a training.

    Args:
        name (str): Its config's name.
        settings (dict[str, str]): What a reader wants to know of the config, by words.
        classes (tuple[str, ...]): Names of the classes; empty if the config names none.
        splits (dict[str, SplitFacts]): By 'training' and 'validation'.
        log (RunLog): What the logs say.
        checkpoints (list[str]): Names of the checkpoints, the best first.
        test (dict[str, float]): Metrics of ``result.json``; empty if there is none.
        pictures (list[Path]): Pictures in the folder.
    """
    name: str
    settings: Dict[str, str]
    classes: Tuple[str, ...]
    splits: Dict[str, SplitFacts]
    log: RunLog
    checkpoints: List[str]
    test: Dict[str, float]
    pictures: List[Path]


def read_facts(work_dir: Path) -> RunFacts:
    """Reads a work directory.

    Args:
        work_dir (Path): Of a training by ``tools/train.py``.

    Returns:
        RunFacts: What is known.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If no training has logged anything in it.
    """
    if not work_dir.is_dir():
        raise FileNotFoundError(f"'{work_dir}' is no folder; give the work directory of a training")
    log = read_run(work_dir)
    if not log.train and not log.val:
        raise ValueError(f"'{work_dir}' has no logs (TIME/vis_data/scalars.json); give the work directory of a training")
    configs = sorted(work_dir.glob('*.py'), key=os.path.getmtime)
    cfg = Config.fromfile(configs[-1]) if configs else Config()
    datasets = dict(training=_dataset(cfg.get('train_dataloader')), validation=_dataset(cfg.get('val_dataloader')))
    classes = next((tuple(found['metainfo']['classes']) for found in datasets.values()
                    if found and (found.get('metainfo') or {}).get('classes')), ())
    splits = {words: _split(found, classes) for words, found in datasets.items() if found and found.get('ann_file')}
    classes = classes or tuple(dict.fromkeys(name for split in splits.values() for name in split.objects))
    return RunFacts(configs[-1].stem if configs else work_dir.resolve().name, _settings(cfg), classes, splits, log,
                    _checkpoints(work_dir), _test(work_dir), _pictures(work_dir))


def _dataset(loader: Any) -> Optional[Dict[str, Any]]:
    """The innermost data set of a loader; of several the first."""
    found = (loader or {}).get('dataset')
    while isinstance(found, dict) and 'ann_file' not in found and (found.get('dataset') or found.get('datasets')):
        found = found.get('dataset') or found['datasets'][0]
    return found if isinstance(found, dict) else None


def _split(dataset: Dict[str, Any], classes: Sequence[str]) -> SplitFacts:
    file = os.path.join(dataset.get('data_root') or '', dataset['ann_file'])
    try:
        content = read_coco_file(file)
    except (FileNotFoundError, ValueError):  # moved, or lists of another kind
        return SplitFacts(file, None, 0, Counter())
    names = {category['id']: category['name'] for category in content['categories']}
    names = {number: name for number, name in names.items() if not classes or name in classes}
    found = [annotation for annotation in content['annotations'] if annotation['category_id'] in names]
    objects: CounterType[str] = Counter({name: 0 for name in names.values()})
    objects.update(names[annotation['category_id']] for annotation in found)
    images = len(content['images'])
    return SplitFacts(file, images, images - len({annotation['image_id'] for annotation in found}), objects)


def _settings(cfg: Config) -> Dict[str, str]:
    """In words, what a reader wants to know; what a config does not have is left out."""
    model, optimizer = cfg.get('model') or {}, (cfg.get('optim_wrapper') or {}).get('optimizer') or {}
    loader = cfg.get('train_dataloader') or {}
    known = {
        'model': model.get('type'), 'backbone': (model.get('backbone') or {}).get('type'),
        'epochs, at most': (cfg.get('train_cfg') or {}).get('max_epochs'), 'images a step': loader.get('batch_size'),
        'optimiser': optimizer.get('type'), 'learning rate': optimizer.get('lr'),
        'seed': (cfg.get('randomness') or {}).get('seed'), 'started from': cfg.get('load_from')}
    return {words: str(value) for words, value in known.items() if value is not None}


def _checkpoints(work_dir: Path) -> List[str]:
    """The best, as MMEngine names it, then the latest."""
    best = sorted(path.name for path in work_dir.glob('best_*.pth'))
    last = work_dir / 'last_checkpoint'
    return best + ([Path(last.read_text(encoding='utf-8').strip()).name] if last.is_file() else [])


def _test(work_dir: Path) -> Dict[str, float]:
    for path in [work_dir / 'result.json', *sorted(work_dir.glob('*/result.json'))]:
        try:
            metrics = json.loads(path.read_text(encoding='utf-8'))['metrics']
        except (OSError, ValueError, LookupError, TypeError):
            continue
        if isinstance(metrics, dict) and metrics:
            return {name: value for name, value in metrics.items() if isinstance(value, (int, float))}
    return {}


def _pictures(work_dir: Path) -> List[Path]:
    found = [path for path in work_dir.rglob('*') if path.suffix.lower() in _PICTURES]
    return sorted(found, key=lambda path: (len(path.parts), path.as_posix()))
