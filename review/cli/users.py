"""The command line's `user` actions."""

import getpass
import sys
from argparse import Namespace

from review.access import accounts, links, second_factor, ways
from review.access.ways import Ways
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
    found = ways.ways_of_all(ws, by=by)
    for account in accounts.list_accounts(ws, by=by):
        way = found.get(account.id, Ways())
        by_link = not (account.has_password or account.demo or way.issuer)
        notes = [
            "demo" if account.demo else "",
            "" if account.active else "inactive",
            "signs in by link" if by_link else "",
            "second factor" if way.second_factor else "",
            f"OpenID: {way.subject} at {way.issuer}" if way.issuer else "",
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


def remove_second_factor(arguments: Namespace) -> int:
    """Remove a second factor that is lost; the account's sessions end."""
    ws, by = opened(arguments)
    account = accounts.account_named(ws, arguments.name, by=by)
    second_factor.remove(ws, account.id, by=by)
    say(f"{account.name} signs in without a second factor until one is set up")
    say_who(arguments)
    return 0


def link_openid(arguments: Namespace) -> int:
    """Let an account come in by the site's OpenID provider alone."""
    from review.access import openid

    ws, by = opened(arguments)
    account = accounts.account_named(ws, arguments.name, by=by)
    openid.link(ws, account.id, arguments.subject, by=by)
    say(f"{account.name} comes in by OpenID alone, as {arguments.subject}")
    say_who(arguments)
    return 0


def unlink_openid(arguments: Namespace) -> int:
    """Let an account come in here again."""
    from review.access import openid

    ws, by = opened(arguments)
    account = accounts.account_named(ws, arguments.name, by=by)
    openid.unlink(ws, account.id, by=by)
    say(f"{account.name} comes in by a link or a password again")
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
