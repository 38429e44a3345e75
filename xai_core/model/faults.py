"""What went wrong in code that is not ours, in words fit for whoever wrote it.

Files are named without their folders: messages reach people who have no business with the server's.
"""

import re
import traceback
from pathlib import Path

_FOLDERS = re.compile(r"(?<![\w./])(?:/|[A-Za-z]:\\)(?:[^\s/\\'\"]+[/\\])+")
_LONGEST = 300  # characters
_INSTALLED = ("site-packages", "dist-packages")
_HERE = Path(__file__).parents[1]


def fault(exc: BaseException) -> str:
    """Return an exception's kind, message and place, as "KeyError: 'w' (lung_site.py, line 12)".

    The place is the innermost line of the site's own code, else of the package that raised.
    """
    message = _FOLDERS.sub("", " ".join(str(exc).split()))
    if len(message) > _LONGEST:
        message = f"{message[:_LONGEST]}…"
    said = ": ".join(filter(None, (type(exc).__name__, message)))
    if isinstance(exc, SyntaxError):  # its message tells file and line
        return said
    if place := _place(exc):
        return f"{said} ({place})"
    return said


def _place(exc: BaseException) -> str | None:
    frames = [
        frame
        for frame in traceback.extract_tb(exc.__traceback__)
        if not frame.filename.startswith("<") and _HERE not in Path(frame.filename).parents
    ]
    if not frames:
        return None
    own = [frame for frame in frames if not set(_INSTALLED) & set(Path(frame.filename).parts)]
    calling = [frame for frame in frames if "torch" not in Path(frame.filename).parts]
    frame = (own or calling or frames)[-1]
    return f"{Path(frame.filename).name}, line {frame.lineno}"
