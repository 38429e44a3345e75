"""The command line's `findings` actions: which findings readers are asked about."""

from argparse import Namespace

from review.cli.acting import opened, say_who
from review.cli.output import say
from review.verdicts import asked


def show(arguments: Namespace) -> int:
    """List the findings of this site's models; those that readers are asked about are marked."""
    ws, by = opened(arguments)
    of_site = asked.site_list(ws, by=by)
    for name in dict.fromkeys((*of_site, *asked.known(ws, by=by))):
        say(f"{'asked' if name in of_site else '':<6} {name}".rstrip())
    if not of_site:
        say("this site has no list: readers are asked about what the model calls present,")
        say("and about all its findings where it calls none")
    return 0


def choose(arguments: Namespace) -> int:
    """Set the findings that readers are asked about."""
    ws, by = opened(arguments)
    asked.choose(ws, arguments.names, by=by)
    say(f"readers are asked about {', '.join(arguments.names)}")
    say_who(arguments)
    return 0


def clear(arguments: Namespace) -> int:
    """Take the site's list away."""
    ws, by = opened(arguments)
    asked.choose(ws, (), by=by)
    say("this site has no list any more: readers are asked about what the model says")
    say_who(arguments)
    return 0
