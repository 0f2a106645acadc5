"""What a running search says: a bar on the terminal, lines in the log, curves in the visualizer."""
import sys
import time
from typing import Any, Optional

from mmengine.dist import get_rank
from tqdm import tqdm


class SearchProgress:
    """Reports candidates done, candidates a second, time left and the best score, everywhere the same numbers.

    Args:
        logger (Logger): Gets a line every ``interval`` seconds.
        visualizer (Visualizer): Any of MMEngine's; gets ``search/...`` scalars over the number of candidates.
        total (int): Candidates of the whole search.
        done (int): Candidates evaluated before, by an earlier run.
        best (float, optional): Best score of that run. Within a generation the best of the main process's share is
            reported, after it that of all. Defaults to None.
        interval (float): Seconds between two reports. Defaults to 10.
    """

    def __init__(self, logger: Any, visualizer: Any, total: int, done: int,
                 best: Optional[float] = None, interval: float = 10.0) -> None:
        self.logger, self.visualizer, self.interval = logger, visualizer, interval
        self.total, self.before, self.done = total, done, done
        self.start = self.reported = time.monotonic()
        self.best = best
        silent = get_rank() != 0 or not sys.stderr.isatty()
        self.bar = tqdm(total=total, initial=done, unit='arch', disable=silent, leave=False)

    def candidate(self, score: float, number: int = 1) -> None:
        """A candidate was scored here, while other processes scored ``number - 1`` more."""
        self.done = min(self.done + number, self.total)
        self.best = score if self.best is None else max(self.best, score)
        self.bar.set_postfix(best=f'{self.best:.6g}')
        self.bar.update(self.done - self.bar.n)
        if time.monotonic() - self.reported >= self.interval:
            self.report()

    def generation(self, done: int, best: float) -> None:
        """A generation is complete: the exact number of candidates, and the best score of the whole search."""
        self.done, self.best = done, best
        self.report()

    def report(self) -> None:
        """Tells the log and the visualizer."""
        self.reported = time.monotonic()
        rate = (self.done - self.before) / max(self.reported - self.start, 1e-9)
        left = (self.total - self.done) / rate if rate else float('nan')
        self.logger.info(f'search: {self.done} of at most {self.total} candidates, {rate:.2f} a second, at most '
                         f'{left / 60:.1f} min left, best {self.best:.6g}')
        self.visualizer.add_scalars({
            'search/candidates_per_second': rate,
            'search/minutes_left': left / 60,
            'search/best': self.best
        }, step=self.done)

    def close(self) -> None:
        """Takes the bar away."""
        self.bar.close()
