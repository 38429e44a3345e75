"""The command line's commands that keep a site: backup, restore, upgrade, copy to a database."""

import argparse
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from review.cli.acting import opened, say_who
from review.cli.output import ProgressLine, say
from review.settings import Settings

if TYPE_CHECKING:
    from db.contents import Contents
    from review.keeping.manifest import Manifest

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

RUN_BY_NO_ACCOUNT = ("restore", "upgrade", "copy-to")


def add_commands(subparsers: "Subparsers") -> None:
    """Add what can be typed."""
    command = subparsers.add_parser(
        "backup",
        help="back the site up while it runs: database, artifacts, key; verified",
        description="Adds a backup to DIR. Artifacts are kept there once, so that the next backup "
        "copies new ones only. What is in it, and what is not: docs/operations.md.",
    )
    command.add_argument("folder", type=Path, metavar="DIR")
    command.add_argument("--without-key", action="store_true", help="leave identity.key out")
    command.add_argument("--reread", action="store_true", help="read every artifact in DIR again")
    command.add_argument(
        "--despite-damage", action="store_true", help="even if the home is damaged: what there is"
    )
    command.set_defaults(run=backup)
    command = subparsers.add_parser(
        "restore", help="make a home, which must be empty, of a backup; verified"
    )
    command.add_argument("folder", type=Path, metavar="DIR", help="a backup, or the newest in DIR")
    command.add_argument("--identity-key", type=Path, metavar="FILE", help="if kept apart")
    command.set_defaults(run=restore)
    command = subparsers.add_parser(
        "upgrade", help="bring the database to this version's schema, after a copy of it"
    )
    command.set_defaults(run=upgrade)
    command = subparsers.add_parser(
        "copy-to", help="copy the record to another, empty database, as PostgreSQL; verified"
    )
    command.add_argument("address", metavar="URL", help="postgresql://NAME@HOST/DATABASE")
    command.set_defaults(run=copy_to)


def backup(arguments: Namespace) -> int:
    """Back the site up."""
    from review.keeping.backup import Choice
    from review.keeping.backup import backup as back_up

    (ws, by), progress = opened(arguments), ProgressLine()
    chosen = Choice(
        key=not arguments.without_key,
        rereads=arguments.reread,
        despite_damage=arguments.despite_damage,
    )
    try:
        made = back_up(ws, arguments.folder, by=by, chosen=chosen, progress=progress)
    finally:
        progress.end()
    say(f"{made.path} is whole and on disk:")
    _say_manifest(made.manifest)
    say_who(arguments)
    return 1 if made.manifest.problems or made.manifest.missing else 0


def restore(arguments: Namespace) -> int:
    """Make a home of a backup."""
    from review.keeping.restore import restore as make_home

    progress, settings = ProgressLine(), Settings.load(arguments.home)
    try:
        made = make_home(settings, arguments.folder, key=arguments.identity_key, progress=progress)
    finally:
        progress.end()
    say(f"{settings.home} was made of {made.source}, and is what it was then:")
    _say_manifest(made.manifest)
    for name, value in made.manifest.settings.items():
        say(f"the environment said then: {name}={value}")
    say(f"{made.n_ended} sessions and sign-in links were ended; everybody signs in anew")
    if made.is_old:
        say("its database is an older version's: run `python -m review upgrade`, then `verify`")
    return 1 if made.manifest.problems else 0


def upgrade(arguments: Namespace) -> int:
    """Bring the database to this version's schema."""
    from review.keeping.upgrade import upgrade as bring_up

    if not bring_up(Settings.load(arguments.home), say=say):
        say("The database has this version's schema already: nothing was done.")
    return 0


def copy_to(arguments: Namespace) -> int:
    """Copy the record to another database."""
    from review.keeping import copying

    settings, progress = Settings.load(arguments.home), ProgressLine()
    try:
        made = copying.copy_to(settings, arguments.address, progress=progress)
    finally:
        progress.end()
    n_rows = sum(made.contents.n_rows.values())
    say(f"{n_rows:,} rows were copied to {made.address}, read back and compared")
    _say_heads(made.contents)
    say("the old database is as it was; to use the new one, start everything with")
    say(f"  SECOND_LOOK_DATABASE_URL={made.address}")
    return 0


def _say_manifest(manifest: "Manifest") -> None:
    rows = ", ".join(
        f"{manifest.n_rows.get(table, 0):,} {table.replace('_', ' ')}"
        for table in ("accounts", "cases", "verdicts", "explanations")
    )
    say(f"a {manifest.kind} database of schema {manifest.schema} with {rows}")
    size = f"{manifest.n_artifact_bytes / 1e6:,.1f} MB"
    say(f"{manifest.n_artifacts - len(manifest.missing):,} artifacts of {size}")
    _say_heads(manifest.contents)
    if manifest.missing:
        say(f"PROBLEM {len(manifest.missing)} artifacts were missing or damaged in the home")
    for problem in manifest.problems:
        say(f"PROBLEM {problem}")


def _say_heads(contents: "Contents") -> None:
    for chain, words, prefix in (
        ("verdicts", "verdicts", ""),
        ("audit", "audit chain", "audit:"),
        ("accesses", "accesses", "accesses:"),
    ):
        if head := contents.heads.get(chain):
            say(f"head of the {words}: {prefix}{head['n_rows']}:{head['row_sha256']}")
