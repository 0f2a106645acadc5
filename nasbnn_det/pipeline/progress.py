"""One line of progress on the terminal, taken from a stage's log."""
import re
import sys
import time

# MMEngine writes "2026/11/21 10:00:00 - mmengine - INFO - message".
_LOG = re.compile(r'- mmengine - INFO - (.*)$')
_WORTH_SHOWING = re.compile(r'Epoch\(|generation|search: |Iter\(|%')


class Progress:
    """Shows the latest telling line: rewritten in place on a terminal, every 20 seconds elsewhere.

    Args:
        title (str): What stands before it.
    """

    def __init__(self, title: str) -> None:
        self.title = title
        self.tty = sys.stdout.isatty()
        self.shown_at = time.monotonic()
        self.open = False

    def show(self, line: str) -> None:
        """Considers a line of the log."""
        if not _WORTH_SHOWING.search(line):
            return
        match = _LOG.search(line)
        text = f'{self.title}: {match.group(1) if match else line.strip()}'
        text = re.sub(r'\s+', ' ', text)[:150]
        if self.tty:
            print(f'\r\033[K{text}', end='', flush=True)
            self.open = True
        elif time.monotonic() - self.shown_at >= 20:
            print(text, flush=True)
            self.shown_at = time.monotonic()

    def close(self) -> None:
        """Ends the line."""
        if self.open:
            print('\r\033[K', end='', flush=True)
            self.open = False
