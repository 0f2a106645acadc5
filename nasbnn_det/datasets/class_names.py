"""Lists of class names that must agree, since a label is a place in one of them. Imports the standard library only."""
from typing import Any, Mapping, Optional, Sequence


def class_names(meta: Any) -> Sequence[str]:
    """The names in a data set's ``metainfo`` or a checkpoint's ``dataset_meta``; none where it does not say.

    Args:
        meta (Mapping, optional): Either of them.
    """
    names = (meta.get('classes') or meta.get('CLASSES') or ()) if isinstance(meta, Mapping) else ()
    return () if isinstance(names, str) else tuple(names)


def classifier_classes(model: Mapping[str, Any]) -> Optional[int]:
    """How many classes a classifier's config says that it has, itself or in its head; None if it does not say.

    Args:
        model (Mapping): The model's config.
    """
    places = (model, model.get('head') or {})
    return next((part['num_classes'] for part in places if isinstance(part.get('num_classes'), int)), None)


def check_same_places(one: Sequence[str], other: Sequence[str], one_is: str, other_is: str) -> None:
    """Checks that a class that two lists have stands at the same place in both.

    Names that one list has alone may differ: a class can be called otherwise, and a list may be longer.

    Args:
        one (Sequence[str]): Names by label.
        other (Sequence[str]): The same of something else; an empty one is not compared.
        one_is (str): What the first are the classes of, for the message.
        other_is (str): Likewise.

    Raises:
        ValueError: If a class has two labels.
    """
    places = {name: label for label, name in enumerate(other)}
    for label, name in enumerate(one):
        if places.get(name, label) != label:
            raise ValueError(f"class '{name}' has label {label} in {one_is} and label {places[name]} in {other_is}; both "
                             'must list their classes alike, or labels get wrong names')
