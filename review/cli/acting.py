"""What a command begins with: the installation, and who acts in it."""

from argparse import Namespace

from db.types import AccessKind
from review.access import accounts
from review.cli.output import say
from review.policy import Actor, OperatingSystemUser
from review.settings import Settings
from review.whence import Whence, come_from
from review.workspace import Workspace


def opened(arguments: Namespace) -> tuple[Workspace, Actor]:
    """Open the installation; return it, and the account named by `--as` or who runs the command.

    The record tells that the command was run and by whom, not with which files.

    Raises:
        AccessError: If there is no such account, or it is closed.
    """
    ws = Workspace.open(Settings.load(arguments.home))
    name = arguments.act_as
    me = OperatingSystemUser.current()
    come_from(Whence(operator=str(me)))
    by = me if name is None else accounts.acting_as(ws, name)
    if not ws.only_reads:  # what may not be written keeps no trail
        ws.trail.note_at_once(AccessKind.COMMAND_RUN, by, command=arguments.command)
    return ws, by


def say_who(arguments: Namespace) -> None:
    """Print who did what a command has recorded."""
    say(f"acting as {arguments.act_as or OperatingSystemUser.current()}")
