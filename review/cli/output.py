"""What the command line prints: results on standard output, progress on standard error."""

import sys
import time

MIN_SHARE_TO_FORETELL = 0.02


def say(text: str) -> None:
    """Print a result; what a name might tell the terminal to do is shown instead."""
    sys.stdout.write(f"{shown(text)}\n")


def shown(text: str) -> str:
    """Return the text with all that is no visible character as an escape, but for line breaks."""
    return "".join(
        character
        if character.isprintable() or character == "\n"
        else character.encode("unicode_escape").decode()
        for character in text
    )


class ProgressLine:
    """One line on a terminal that says how far the work is, and what the rest will take.

    Silent where nobody watches.
    """

    def __init__(self) -> None:
        self._n_shown = 0
        self._started = time.monotonic()

    def __call__(self, n_done: int, n_total: int, stage: str = "") -> None:
        """Rewrite the line."""
        if not sys.stderr.isatty():
            return
        share = n_done / max(n_total, 1)
        left = _left(time.monotonic() - self._started, share)
        text = f"{share:4.0%}  {', '.join(filter(None, (stage, left)))}"
        sys.stderr.write(f"\r{text:{self._n_shown}}")
        sys.stderr.flush()
        self._n_shown = len(text)

    def end(self) -> None:
        """Take the line away."""
        if self._n_shown:
            sys.stderr.write(f"\r{'':{self._n_shown}}\r")
            sys.stderr.flush()


def _left(seconds: float, share: float) -> str:
    """Return in words what the rest of the work will take, once the rate is known."""
    if not MIN_SHARE_TO_FORETELL <= share < 1:
        return ""
    left = seconds * (1 - share) / share
    return f"about {left:.0f} s left" if left < 100 else f"about {left / 60:.0f} min left"
