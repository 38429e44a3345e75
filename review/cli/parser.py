"""The command line: what can be typed, and how errors are told."""

import argparse
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy.exc import OperationalError

from db.types import Opinion, Role
from review.audit.walk import Expected
from review.burnt_in.noticing import Choice
from review.catalogue import OFFERED, PAIR, PRESETS, Stepping
from review.cli import audit, commands, exports, findings, keeping, users
from review.cli.output import shown
from review.errors import EXPECTED
from review.maps.recipes import Recipe
from review.processes import logs
from review.whence import Whence, coming_from
from xai_core.model.card import BASELINES

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

RUN_BY_NO_ACCOUNT = ("serve", "worker", "new-identity-key", *keeping.RUN_BY_NO_ACCOUNT)
HEAD = re.compile(r"(?:(verdicts|audit|accesses):)?([0-9]{1,12}):([0-9a-f]{64})")
EPILOG = """\
State lives under SECOND_LOOK_HOME (default ~/.second-look), in SQLite there unless
SECOND_LOOK_DATABASE_URL says otherwise. `python -m review COMMAND --help` tells more.
A command acts as the operating system's user, or as the account that --as names.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status: 0 done, 1 refused or failed, 2 mistyped."""
    arguments = parser().parse_args(argv)
    try:
        logs.configure()
        with coming_from(Whence()):
            status: int = arguments.run(arguments)
    except EXPECTED as exc:
        return _fail(str(exc))
    except OperationalError as exc:
        return _fail(f"the database does not answer: {exc.orig}")
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # whoever read the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return status


def parser() -> argparse.ArgumentParser:
    """Return the parser of every command."""
    top = argparse.ArgumentParser(
        prog="python -m review",
        description="Second Look: experts review what an image classifier predicted, and why.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--home", type=Path, metavar="DIR", help="keep the site's state here")
    subparsers = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for add in (
        *(_serve, _worker, _user, _import, _import_model, _findings, _explain, _export),
        *(_verify, _checkpoint, audit.add_parser, _new_identity_key, _seed),
        *(keeping.add_commands, exports.add_command, _burnt_in_text, _look_for_text),
    ):
        add(subparsers)
    for name, command in subparsers.choices.items():
        command.set_defaults(command=name)
        if name not in RUN_BY_NO_ACCOUNT:
            command.add_argument(
                "--as", dest="act_as", metavar="NAME", help="act as this account, within its role"
            )
    return top


def _fail(message: str) -> int:
    one_line = shown(" ".join(message.split()))
    sys.stderr.write(f"error: {one_line}\n")
    return 1


def _serve(subparsers: "Subparsers") -> None:
    command = subparsers.add_parser("serve", help="start the web server and its workers")
    command.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    command.add_argument("--port", type=int, default=8501, help="0 takes a free one (%(default)s)")
    command.add_argument(
        "--workers", type=int, default=1, metavar="N", help="worker processes (%(default)s)"
    )
    command.add_argument("--seed-demo", action="store_true", help="add the demonstration first")
    command.add_argument(
        "--open-browser", action="store_true", help="open the site in a browser here"
    )
    command.add_argument(
        "--link",
        action="store_true",
        help="print a sign-in link though an administrator has a password",
    )
    command.set_defaults(run=commands.serve)


def _worker(subparsers: "Subparsers") -> None:
    command = subparsers.add_parser("worker", help="predict and explain what waits in the queue")
    command.add_argument(
        "--device", default="auto", help="auto (a GPU that is free, else the CPU), cpu, cuda:0, …"
    )
    command.add_argument("--once", action="store_true", help="end when nothing waits any more")
    command.set_defaults(run=commands.work)


def _user(subparsers: "Subparsers") -> None:
    command = subparsers.add_parser("user", help="add and manage accounts")
    actions = command.add_subparsers(title="actions", metavar="ACTION", required=True)
    add = actions.add_parser("add", help="add an account and print its first sign-in link")
    add.add_argument("name", help="what the person types to sign in")
    add.add_argument("--role", type=Role, choices=list(Role), required=True)
    add.add_argument("--display-name", help="what colleagues see")
    add.add_argument(
        "--password",
        action="store_true",
        help="ask for a password, on the terminal or as a line on standard input",
    )
    add.set_defaults(run=users.add)
    actions.add_parser("list", help="list every account").set_defaults(run=users.show)
    for name, run, words in (
        ("password", users.password, "set a password"),
        ("link", users.link, "print a new sign-in link"),
        ("deactivate", users.deactivate, "close an account; what it recorded stays"),
        ("activate", users.activate, "open a closed account again"),
        ("remove-second-factor", users.remove_second_factor, "remove one that is lost"),
        ("link-openid", users.link_openid, "let an account come in by OpenID alone"),
        ("unlink-openid", users.unlink_openid, "let an account come in here again"),
    ):
        action = actions.add_parser(name, help=words)
        action.add_argument("name")
        if name == "link-openid":
            action.add_argument("subject", help="who it is at the provider: sub")
        action.set_defaults(run=run)


def _import(subparsers: "Subparsers") -> None:
    command = subparsers.add_parser("import", help="store images: files, folders, ZIP archives")
    command.add_argument("paths", nargs="+", type=Path, metavar="PATH")
    _add_grey_range(command)
    command.set_defaults(run=commands.import_images)


def _add_grey_range(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--grey-range",
        nargs=2,
        type=float,
        metavar=("BLACK", "WHITE"),
        help="values that are black and white where a file does not say: grey of more than 8 bits, "
        "DICOM without a window",
    )


def _import_model(subparsers: "Subparsers") -> None:
    command = subparsers.add_parser("import-model", help="add a model from its card")
    command.add_argument(
        "card", type=Path, metavar="CARD", help="TOML or JSON; its weights lie beside it"
    )
    command.set_defaults(run=commands.import_model)


def _findings(subparsers: "Subparsers") -> None:
    command = subparsers.add_parser(
        "findings", help="choose which findings readers are asked about"
    )
    actions = command.add_subparsers(title="actions", metavar="ACTION", required=True)
    show = actions.add_parser("show", help="list the findings that models here know")
    show.set_defaults(run=findings.show)
    choose = actions.add_parser("set", help="ask about these in every case, in this order")
    choose.add_argument("names", nargs="+", metavar="NAME")
    choose.set_defaults(run=findings.choose)
    clear = actions.add_parser("clear", help="ask about what each model says, as without a list")
    clear.set_defaults(run=findings.clear)


def _explain(subparsers: "Subparsers") -> None:
    command = subparsers.add_parser(
        "explain",
        help="explain one image, without a server",
        description="Writes prediction.json and, for each method, METHOD.npy ((C, H, W) float32) "
        "and METHOD.png, the map laid over the image. Nothing enters the record.",
    )
    command.add_argument("image", type=Path, metavar="IMAGE")
    command.add_argument("--model", required=True, metavar="NAME", help="NAME or NAME:VERSION")
    command.add_argument("--out", required=True, type=Path, metavar="DIR")
    command.add_argument(
        "--methods",
        type=_words,
        default=PAIR,
        metavar="A,B",
        help=f"some of {', '.join(OFFERED)} ({','.join(PAIR)})",
    )
    command.add_argument("--preset", choices=list(PRESETS), default="standard")
    steps = command.add_mutually_exclusive_group()
    for stepping, words in (
        (Stepping.FIXED, "the preset's number of points on the path"),
        (Stepping.ADAPTIVE, "as many as the preset's tolerance needs"),
    ):
        steps.add_argument(
            f"--{stepping}",
            dest="stepping",
            action="store_const",
            const=stepping,
            default=Recipe().stepping,
            help=f"{words} (the default)" if stepping is Recipe().stepping else words,
        )
    command.add_argument(
        "--baseline", choices=BASELINES, help="the model card's choice unless given"
    )
    command.add_argument(
        "--target", metavar="CLASS", help="class to explain, by name or index (the predicted one)"
    )
    command.add_argument(
        "--frame", type=int, metavar="N", help="of a file with several: the first is 0"
    )
    _add_grey_range(command)
    command.add_argument("--device", help="cpu, cuda:0, … (a GPU where there is one)")
    command.set_defaults(run=commands.explain)


def _words(text: str) -> tuple[str, ...]:
    """Return comma-separated words, each once, in order."""
    return tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))


def _export(subparsers: "Subparsers") -> None:
    command = subparsers.add_parser("export", help="write the feedback as a dataset")
    command.add_argument("--out", required=True, type=Path, metavar="FILE.zip")
    command.add_argument("--model", action="append", default=[], metavar="NAME:VERSION")
    command.add_argument("--opinion", action="append", default=[], type=Opinion, metavar="OPINION")
    command.add_argument("--since", metavar="TIME", help="signed at or after, as 2026-11-01")
    command.add_argument("--until", metavar="TIME", help="signed before")
    command.add_argument("--unjudged", action="store_true", help="predictions without verdicts too")
    for what in ("synthetic", "images", "maps"):
        command.add_argument(
            f"--{what}", action=argparse.BooleanOptionalAction, default=True, help=f"with {what}"
        )
    command.set_defaults(run=commands.export)


def _verify(subparsers: "Subparsers") -> None:
    command = subparsers.add_parser(
        "verify", help="check every chain, what they rest on, and every artifact"
    )
    command.add_argument(
        "--expect",
        action="append",
        default=[],
        type=_head,
        metavar="[audit:|accesses:]N:HASH",
        help="a head noted elsewhere: the Nth verdict (audit event, access) must have this hash",
    )
    command.add_argument(
        "--checkpoint-key",
        action="append",
        default=[],
        metavar="FINGERPRINT",
        help="take checkpoints of this key alone (that of SECOND_LOOK_CHECKPOINT_KEY, if set)",
    )
    command.set_defaults(run=commands.verify)


def _head(text: str) -> Expected:
    """Return a head as `verify` prints it."""
    found = HEAD.fullmatch(text.strip().lower())
    if found is None:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no N:HASH, audit:N:HASH or accesses:N:HASH of 64 digits"
        )
    chain, n_rows, row_sha256 = found.groups()
    return Expected(chain or "verdicts", int(n_rows), row_sha256, "--expect")


def _checkpoint(subparsers: "Subparsers") -> None:
    command = subparsers.add_parser(
        "checkpoint",
        help="sign the heads of every chain, against rewriting them all",
        description="Appends one line to checkpoints.jsonl, or to SECOND_LOOK_CHECKPOINT_FILE, "
        "signed with the Ed25519 key in SECOND_LOOK_CHECKPOINT_KEY: a PEM file outside the data "
        "folder, or the PEM itself. Where SECOND_LOOK_STAMP_URL names a stamping authority "
        "(RFC 3161), the line is stamped, too.",
    )
    command.set_defaults(run=commands.checkpoint)


def _new_identity_key(subparsers: "Subparsers") -> None:
    command = subparsers.add_parser(
        "new-identity-key", help="make a new key for the site, if the one it had is lost for good"
    )
    command.set_defaults(run=commands.new_identity_key)


def _burnt_in_text(subparsers: "Subparsers") -> None:
    command = subparsers.add_parser(
        "burnt-in-text",
        help="say, or set, what becomes of pictures in which text is suspected",
        description="warn: readers see a note. quarantine: the case is held back from reading, "
        "explaining and export until an engineer or administrator has looked at its picture.",
    )
    command.add_argument("choice", nargs="?", type=Choice, choices=list(Choice))
    command.set_defaults(run=commands.burnt_in_text)


def _look_for_text(subparsers: "Subparsers") -> None:
    command = subparsers.add_parser(
        "look-for-text",
        help="look for text in pictures that an earlier version took in",
        description="What is found stands on each case at once: stopped, the command goes on from "
        "there. Cases that somebody has judged are noted, and never held back.",
    )
    command.set_defaults(run=commands.look_for_text)


def _seed(subparsers: "Subparsers") -> None:
    command = subparsers.add_parser("seed-demo", help="add two models, phantoms and demo readers")
    command.set_defaults(run=commands.seed_demo)
