"""Whether a classifier's evaluator asks for what its number of classes allows."""
from typing import Any, Mapping

from ..datasets.class_names import classifier_classes


def check_top_k(cfg: Mapping[str, Any]) -> None:
    """Checks the ``topk`` of a config's evaluators before anything is trained.

    Args:
        cfg (Mapping): The config.

    Raises:
        ValueError: If one is larger than the number of classes of the model.
    """
    classes = classifier_classes(cfg.get('model') or {})
    for name in ('val_evaluator', 'test_evaluator'):
        evaluators = cfg.get(name) or []
        for evaluator in evaluators if isinstance(evaluators, (list, tuple)) else [evaluators]:
            wanted = evaluator.get('topk')
            most = max(wanted, default=0) if isinstance(wanted, (list, tuple)) else wanted
            if classes is not None and most is not None and most > classes:
                raise ValueError(f'{name}.topk is {wanted}, but there are {classes} classes: top-{most} accuracy needs at '
                                 f'least {most}; set {name}.topk=1')
