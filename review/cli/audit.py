"""The command line's `audit` actions."""

from argparse import Namespace

from db.types import AccessKind, AuditKind
from review.access import accounts
from review.audit import listing, retention, sheet
from review.audit.listing import KINDS, AuditFilter
from review.cli.acting import opened, say_who
from review.cli.output import say
from review.errors import SettingsError


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
