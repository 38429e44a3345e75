"""The audit as a CSV file that a spreadsheet may open, or as lines of a terminal."""

import csv
import io
import unicodedata
from collections.abc import Iterable, Iterator

from review.audit.telling import AuditLine

COLUMNS = ("time (UTC)", "who", "account", "what", "case", "details", "address", "session")
# Spreadsheets take a cell that begins so as a formula (OWASP, CSV injection), full-width forms too.
FORMULA = "=+-@|%"


def rows(lines: Iterable[AuditLine]) -> Iterator[str]:
    """Yield the lines of the file, the header first; every cell is quoted."""
    yield _row(COLUMNS)
    for line in lines:
        yield _row(cells(line))


def cells(line: AuditLine) -> tuple[str, ...]:
    """Return the cells of a line, as text that does nothing."""
    return (
        f"{line.at:%Y-%m-%d %H:%M:%S}",
        *(harmless(text) for text in (line.who, line.account, line.what)),
        "" if line.case_id is None else str(line.case_id),
        *(harmless(text) for text in (line.details, line.address, line.session)),
    )


def words(line: AuditLine) -> tuple[str, ...]:
    """Return a line as a terminal shows it."""
    return (
        f"{line.at:%Y-%m-%d %H:%M:%S}",
        plain(f"{line.who} ({line.account})" if line.account else line.who),
        plain(line.what),
        "" if line.case_id is None else f"case {line.case_id}",
        *(plain(text) for text in (line.details, line.address, line.session)),
    )


def harmless(text: str) -> str:
    """Return text without control characters, and such that no spreadsheet calculates it."""
    kept = plain(text)
    first = unicodedata.normalize("NFKC", kept.lstrip())[:1]
    return f"'{kept}" if first and first in FORMULA else kept


def plain(text: str) -> str:
    """Return text that a terminal shows and does not obey."""
    return "".join(
        " " if unicodedata.category(character).startswith(("C", "Zl", "Zp")) else character
        for character in text
    )


def _row(texts: Iterable[str]) -> str:
    line = io.StringIO()
    csv.writer(line, quoting=csv.QUOTE_ALL).writerow(texts)
    return line.getvalue()
