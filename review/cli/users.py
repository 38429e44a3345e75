"""The command line's `user` actions."""

import getpass
import sys
from argparse import Namespace

from review.access import accounts, links
from review.cli.acting import opened, say_who
from review.cli.output import say
from review.policy import Actor
from review.processes import serving
from review.workspace import Workspace

BASE_URL = "http://127.0.0.1:8501"


def add(arguments: Namespace) -> int:
    """Add an account; without a password, print the link by which it signs in first."""
    ws, by = opened(arguments)
    typed = _ask_password() if arguments.password else None
    account = accounts.create_account(
        ws,
        arguments.name,
        by=by,
        role=arguments.role,
        display_name=arguments.display_name,
        password=typed,
    )
    say(f"added {account.role} {account.name}")
    if typed is None:
        _print_link(ws, account.id, by=by)
    say_who(arguments)
    return 0


def show(arguments: Namespace) -> int:
    """List every account."""
    ws, by = opened(arguments)
    for account in accounts.list_accounts(ws, by=by):
        notes = [
            "demo" if account.demo else "",
            "" if account.active else "inactive",
            "" if account.has_password or account.demo else "signs in by link",
        ]
        say(
            f"{account.name:<20} {account.role:<14} {account.display_name:<28} "
            + ", ".join(note for note in notes if note)
        )
    return 0


def password(arguments: Namespace) -> int:
    """Set a password; the account's sessions end."""
    ws, by = opened(arguments)
    account = accounts.account_named(ws, arguments.name, by=by)
    accounts.set_password(ws, account.id, _ask_password(), by=by)
    say(f"password of {account.name} set")
    say_who(arguments)
    return 0


def link(arguments: Namespace) -> int:
    """Print a new sign-in link."""
    ws, by = opened(arguments)
    _print_link(ws, accounts.account_named(ws, arguments.name, by=by).id, by=by)
    say_who(arguments)
    return 0


def deactivate(arguments: Namespace) -> int:
    """Close an account."""
    ws, by = opened(arguments)
    account = accounts.account_named(ws, arguments.name, by=by)
    accounts.deactivate(ws, account.id, by=by)
    say(f"{account.name} cannot sign in any more")
    say_who(arguments)
    return 0


def activate(arguments: Namespace) -> int:
    """Open a closed account again."""
    ws, by = opened(arguments)
    account = accounts.account_named(ws, arguments.name, by=by)
    accounts.activate(ws, account.id, by=by)
    say(f"{account.name} can sign in again")
    say_who(arguments)
    return 0


def _ask_password() -> str:
    if sys.stdin.isatty():
        return getpass.getpass("Password: ")
    return sys.stdin.readline().rstrip("\n")


def _print_link(ws: Workspace, account_id: int, *, by: Actor) -> None:
    address = serving.link_address(ws, accounts.issue_link(ws, account_id, by=by), BASE_URL)
    hours = int(links.LINK.total_seconds() // 3600)
    say(f"sign-in link, for one use within {hours} hours (mind the server's port):\n  {address}")
