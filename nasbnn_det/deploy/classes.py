"""Names of the classes that a trained model tells apart."""
import os
from typing import Any, Dict, List, Sequence, Union

from mmengine.config import Config

from ..datasets.class_names import check_same_places, class_names


def classes_of_model(meta: Dict[str, Any], cfg: Config, checkpoint: Union[str, os.PathLike]) -> List[str]:
    """The checkpoint's classes, or else those of the config's test set; none where neither says.

    Args:
        meta (dict): The checkpoint's meta.
        cfg (Config): The config.
        checkpoint: The checkpoint's file, for messages.

    Raises:
        ValueError: If the config orders them otherwise than the checkpoint.
    """
    trained = class_names(meta.get('dataset_meta'))
    named = _classes_of_set(cfg.get('test_dataloader', {}).get('dataset'))
    check_same_places(trained, named, f"checkpoint '{checkpoint}'", "the config's test set")
    return list(trained or named)


def _classes_of_set(dataset: Any) -> Sequence[str]:
    """What a data set's config says, or else a set that it wraps."""
    if not isinstance(dataset, dict):
        return ()
    parts = [dataset.get('dataset'), *(dataset.get('datasets') or ())]
    return class_names(dataset.get('metainfo')) or next(filter(None, map(_classes_of_set, parts)), ())
