"""What the command line prints: results on standard output, progress on standard error."""

import sys


def say(text: str) -> None:
    """Print one line of a result."""
    sys.stdout.write(f"{text}\n")


class ProgressLine:
    """One line on a terminal that says how far the work is; silent where nobody watches."""

    def __init__(self) -> None:
        self._n_shown = 0

    def __call__(self, n_done: int, n_total: int, stage: str = "") -> None:
        """Rewrite the line."""
        if not sys.stderr.isatty():
            return
        text = f"{n_done / max(n_total, 1):4.0%}  {stage}"
        sys.stderr.write(f"\r{text:{self._n_shown}}")
        sys.stderr.flush()
        self._n_shown = len(text)

    def end(self) -> None:
        """Take the line away."""
        if self._n_shown:
            sys.stderr.write(f"\r{'':{self._n_shown}}\r")
            sys.stderr.flush()
