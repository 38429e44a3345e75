"""The command line's `audit` actions."""

from argparse import ArgumentTypeError, Namespace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from db.types import AccessKind, AuditKind
from review.access import accounts
from review.audit import listing, retention, sheet
from review.audit.listing import KINDS, AuditFilter
from review.cli.acting import opened, say_who
from review.cli.output import say
from review.errors import SettingsError

if TYPE_CHECKING:
    from argparse import ArgumentParser, _SubParsersAction

    Subparsers = _SubParsersAction[ArgumentParser]


def add_parser(subparsers: "Subparsers") -> None:
    """Say what can be typed after `audit`."""
    command = subparsers.add_parser(
        "audit",
        help="list who looked at what, did what, and was refused",
        description="Lists accesses and changes, the newest first. Times are in UTC.",
    )
    command.add_argument("--since", type=_day, metavar="DAY", help="from this day on")
    command.add_argument("--until", type=_day, metavar="DAY", help="to this day, inclusive")
    command.add_argument("--account", metavar="NAME", help="done by, or tried as, this account")
    command.add_argument(
        "--kind", action="append", default=[], choices=[kind.value for kind in KINDS]
    )
    command.add_argument("--refused", action="store_true", help="only what was refused or failed")
    command.add_argument("--csv", type=Path, metavar="FILE", help="write a CSV file instead")
    command.set_defaults(run=show)
    actions = command.add_subparsers(title="actions", metavar="ACTION")
    keeping = actions.add_parser(
        "keep", help="say how long accesses are kept, and let older ones go"
    )
    keeping.add_argument("days", type=_days_kept, metavar="DAYS|forever")
    keeping.set_defaults(run=keep)


def show(arguments: Namespace) -> int:
    """Print or write what the options choose, the newest first."""
    ws, by = opened(arguments)
    name = arguments.account
    wanted = AuditFilter(
        account_id=accounts.account_named(ws, name, by=by).id if name else None,
        kinds=_kinds(arguments.kind),
        since=arguments.since,
        until=arguments.until,
        refused=arguments.refused,
    )
    lines = listing.taken_out(ws, wanted, by=by)
    if arguments.csv is None:
        for line in lines:
            say("  ".join(filter(None, sheet.words(line))))
        return 0
    try:
        with arguments.csv.open("w", encoding="utf-8", newline="") as file:
            n_lines = sum(bool(file.write(row)) for row in sheet.rows(lines)) - 1
    except OSError as exc:
        raise SettingsError(f"cannot write {arguments.csv} ({exc.strerror})") from exc
    say(f"{arguments.csv}: {n_lines} lines")
    say_who(arguments)
    return 0


def keep(arguments: Namespace) -> int:
    """Say how long accesses are kept, and let go what is older."""
    ws, by = opened(arguments)
    n_removed = retention.keep(ws, arguments.days, by=by)
    long = "for ever" if arguments.days is None else f"for {arguments.days} days"
    say(f"accesses are kept {long}; {n_removed} older ones were let go")
    say_who(arguments)
    return 0


def _kinds(values: list[str]) -> tuple[AccessKind | AuditKind, ...]:
    return tuple(kind for kind in KINDS if kind.value in values)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as exc:
        raise ArgumentTypeError(f"{text!r} is no day; allowed: 2026-11-01") from exc


def _days_kept(text: str) -> int | None:
    if text == "forever":
        return None
    if text.isascii() and text.isdigit() and len(text) < 10:
        return int(text)
    raise ArgumentTypeError(f"{text!r} is no whole number of days, nor: forever")
