"""How far searches have come after each candidate, so that they can be compared at equal cost."""
import json
import os
from pathlib import Path
from typing import List, NamedTuple, Sequence, Union

import numpy as np


class Visit(NamedTuple):
    """An evaluated architecture: its OPs, a plain count, and its score."""
    ops: float
    score: float


def read_history(folder: Union[str, os.PathLike]) -> List[Visit]:
    """What a search visited, in the order of evaluation.

    Args:
        folder: Work directory of the search.

    Raises:
        FileNotFoundError: If it has no ``history.jsonl``.
        ValueError: If that file is damaged or empty.
    """
    path = Path(folder) / 'history.jsonl'
    if not path.is_file():
        raise FileNotFoundError(f"'{path}' does not exist; give the work directory of a search")
    try:
        rows = [json.loads(line) for line in path.read_text(encoding='utf-8').splitlines()]
        visits = [Visit(float(row['ops']), float(row['score'])) for row in rows]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"'{path}' is no history of a search ({error!r}); allowed is what a search wrote") from error
    if not np.isfinite(np.array(visits, dtype=float)).all():
        raise ValueError(f"'{path}' has OPs or a score that is no finite number; allowed is what a search wrote")
    if not visits:
        raise ValueError(f"'{path}' is empty: the search has not scored a candidate yet")
    return visits


def mean_best(visits: Sequence[Visit], budgets: Sequence[float]) -> np.ndarray:
    """Mean over budgets of the best score within each, after each candidate.

    A whole front in one number: the score that somebody gets who comes with a budget drawn from these.

    Args:
        visits (Sequence[Visit]): In the order of evaluation.
        budgets (Sequence[float]): Budgets of OPs, plain counts.

    Returns:
        ndarray: Shape (len(visits), ); NaN until each budget has a candidate.
    """
    limits = np.asarray(budgets, dtype=float)
    scores = np.array([np.where(visit.ops <= limits, visit.score, -np.inf) for visit in visits])
    best = np.maximum.accumulate(scores, axis=0)
    return np.where(np.isfinite(best).all(1), best.mean(1, where=np.isfinite(best)), np.nan)
