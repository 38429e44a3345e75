"""The command line's `exports` actions: what was exported in the application, and lies there."""

import argparse
from argparse import Namespace
from typing import TYPE_CHECKING

from review.cli.acting import opened, say_who
from review.cli.output import say
from review.exporting import kept
from review.exporting.kept import KeptExport

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]


def add_command(subparsers: "Subparsers") -> None:
    """Add what can be typed."""
    command = subparsers.add_parser("exports", help="list or remove the exports kept in the home")
    actions = command.add_subparsers(title="actions", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="list them with their sizes")
    listing.set_defaults(run=show)
    removing = actions.add_parser("remove", help="remove some; the audit chain tells so")
    which = removing.add_mutually_exclusive_group(required=True)
    which.add_argument("ids", nargs="*", type=int, default=[], metavar="ID")
    which.add_argument("--older-than", type=int, metavar="DAYS")
    removing.set_defaults(run=remove)


def show(arguments: Namespace) -> int:
    """List the exports that are there."""
    ws, by = opened(arguments)
    found = kept.kept(ws, by=by)
    for each in found:
        say(_line(each))
    say(f"{len(found)} exports, {sum(each.n_bytes for each in found) / 1e6:,.1f} MB")
    return 0


def remove(arguments: Namespace) -> int:
    """Remove exports by their ids or their age."""
    ws, by = opened(arguments)
    if arguments.older_than is not None:
        removed = kept.remove_older(ws, arguments.older_than, by=by)
    else:
        removed = tuple(kept.remove(ws, export_id, by=by) for export_id in arguments.ids)
    for each in removed:
        say(f"removed {_line(each)}")
    say(f"{len(removed)} exports, {sum(each.n_bytes for each in removed) / 1e6:,.1f} MB removed")
    say_who(arguments)
    return 0


def _line(each: KeptExport) -> str:
    return f"export {each.id}  {each.n_bytes / 1e6:,.1f} MB  {each.made_at:%Y-%m-%d %H:%M} UTC"
