"""The command line's commands: each calls one use case, prints what came of it, returns a status.

What is slow to import is imported where it is used, so that `serve` starts at once.
"""

import os
import signal
from argparse import Namespace
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from db.types import Origin
from imaging import decode
from imaging.levels import checked_range
from review.burnt_in import noticing
from review.cases import intake
from review.cli.acting import opened, say_who
from review.cli.output import ProgressLine, say
from review.errors import ReviewError
from review.maps.recipes import Recipe
from review.models import registry
from review.policy import Actor, OperatingSystemUser
from review.settings import Settings
from review.words import METHOD_NAMES
from review.workspace import Workspace

WORKER_NICENESS = 5  # pages come before explanations
COUNTED = {"stored": "stored", "duplicate": "here already", "refused": "refused"}


class CommandError(ReviewError):
    """An argument of a command makes no sense."""


def serve(arguments: Namespace) -> int:
    """Become the web server."""
    from review.keeping.upgrade import upgrade
    from review.processes import serving

    settings = Settings.load(arguments.home)
    upgrade(settings, say=say)
    ws = Workspace.open(settings)
    serving.insist_on_writing(ws)
    if arguments.seed_demo:
        _seed(ws, by=OperatingSystemUser.current())
    serving.serve(
        settings,
        arguments.host,
        arguments.port,
        open_browser=arguments.open_browser,
        print_link=arguments.link,
        n_workers=arguments.workers,
    )
    return 0


def work(arguments: Namespace) -> int:
    """Work on the queue until a signal comes."""
    import torch

    from review.demo import seed
    from review.models.plugins import register_architectures
    from review.processes import worker

    stop = _StopOnSignal()
    os.nice(max(0, WORKER_NICENESS - os.nice(0)))
    # One core is left to the pages.
    torch.set_num_threads(max(1, len(os.sched_getaffinity(0)) - 1))
    register_architectures()
    run = worker.run_once if arguments.once else worker.run
    ws = Workspace.open(Settings.load(arguments.home))
    run(ws, arguments.device, stopped=stop, after_job=seed.apply_pending)
    return 0


class _StopOnSignal:
    """Remembers that the process was asked to end."""

    def __init__(self) -> None:
        self._is_asked = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask)

    def __call__(self) -> bool:
        return self._is_asked

    def _ask(self, *_: object) -> None:
        self._is_asked = True


def import_images(arguments: Namespace) -> int:
    """Store files and folders; the status is 1 if any was refused."""
    grey_range = checked_range(arguments.grey_range)
    (ws, by), progress = opened(arguments), ProgressLine()
    paths = [file for path in arguments.paths for file in _files(path)]
    counts = Counter[str]()

    def files() -> Iterator[tuple[str, Path]]:
        for n_done, path in enumerate(paths):
            progress(n_done, len(paths), "storing")
            yield str(path), path

    outcomes = intake.receive(ws, files(), by=by, origin=Origin.IMPORT, grey_range=grey_range)
    for outcome in outcomes:
        progress.end()
        counts[outcome.kind] += 1
        case = f"case {outcome.case_id}" if outcome.case_id else ""
        name = outcome.name.replace("\n", "\\n")
        say(f"{outcome.kind:<10} {case:<12} {name}  {outcome.reason}".rstrip())
    decode.close()
    say(", ".join(f"{counts[kind]} {words}" for kind, words in COUNTED.items()))
    say_who(arguments)
    return 1 if counts["refused"] or not counts else 0


def explain(arguments: Namespace) -> int:
    """Explain one image into a folder."""
    from review.maps.explain_file import Order, explain_file

    recipe = Recipe(
        arguments.preset,
        arguments.baseline,
        stepping=arguments.stepping,
        methods=arguments.methods,
    )
    order = Order(
        arguments.model,
        recipe,
        target=arguments.target,
        device=arguments.device,
        frame=arguments.frame,
        grey_range=checked_range(arguments.grey_range),
    )
    (ws, by), progress = opened(arguments), ProgressLine()
    try:
        result = explain_file(ws, arguments.image, arguments.out, order, by=by, progress=progress)
    finally:
        progress.end()
    said = f"{result['answer']}  certainty {result['certainty']:.1%}"
    say(f"{said}  ({result['model']} {result['version']})")
    for method, facts in result["maps"].items():
        trust = facts["trust"]
        say(f"{METHOD_NAMES[method]}: {' '.join([trust['badge'], *trust['reasons']])}")
    say(f"written to {arguments.out}")
    return 0


def export(arguments: Namespace) -> int:
    """Write the feedback as a dataset."""
    from review.exporting import dataset

    (ws, by), progress = opened(arguments), ProgressLine()
    chosen = dataset.ExportFilter(
        model_ids=tuple(registry.find(ws, name, by=by).id for name in arguments.model),
        opinions=tuple(arguments.opinion),
        since=_time(arguments.since),
        until=_time(arguments.until),
        synthetic=arguments.synthetic,
        unjudged=arguments.unjudged,
        images=arguments.images,
        maps=arguments.maps,
    )
    try:
        manifest = dataset.export(ws, chosen, arguments.out, by=by, progress=progress)
    finally:
        progress.end()
    rows = ", ".join(f"{n} {table}" for table, n in manifest["counts"]["rows"].items())
    say(f"{arguments.out}: {rows}; counts reconciled with the database")
    if ws.only_reads:
        say("this export is not on record: the home may not be written")
    say_who(arguments)
    return 0


def verify(arguments: Namespace) -> int:
    """Check the record; the status is 1 if anything is wrong."""
    from review.audit import checkpoints, stamps
    from review.verdicts import verify

    (ws, by), progress = opened(arguments), ProgressLine()
    signed = checkpoints.read(ws.settings, trusted=arguments.checkpoint_key)
    stamped = stamps.read(ws.settings)
    expected = (*arguments.expect, *signed.expected)
    problems = (*signed.problems, *stamped.problems)
    try:
        report = verify.verify(ws, by=by, expected=expected, problems=problems, progress=progress)
    finally:
        progress.end()
    for problem in report.problems:
        say(f"PROBLEM {problem}")
    if report.n_problems > len(report.problems):
        say(f"and {report.n_problems - len(report.problems)} problems more")
    if report.orphans:
        say(f"{len(report.orphans)} files under artifacts/ belong to no row (harmless)")
    say(
        f"{report.n_verdicts} verdicts, {report.n_events} audit events, {report.n_accesses} "
        f"accesses, {signed.n} checkpoints and {report.n_artifacts} artifacts checked"
    )
    for key in sorted(signed.fingerprints):
        say(f"checkpoints signed with key {key}")
    if stamped.n:
        say(f"{stamped.n} of them stamped: {stamped.told}")
    say(f"head of the verdicts: {report.n_verdicts}:{report.head_sha256}")
    say(f"head of the audit chain: audit:{report.n_events}:{report.audit_head_sha256}")
    say(f"head of the accesses: accesses:{report.access_head}")
    return 1 if report.n_problems else 0


def checkpoint(arguments: Namespace) -> int:
    """Sign the heads of all chains as they stand."""
    from review.audit import checkpoints, stamps

    ws, by = opened(arguments)
    made = checkpoints.sign(ws, by=by)
    verdicts, events, accesses = made["verdicts"], made["audit"], made["accesses"]
    say(f"signed and appended to {checkpoints.file_of(ws.settings)}:")
    say(f"head of the verdicts: {verdicts['n_rows']}:{verdicts['row_sha256']}")
    say(f"head of the audit chain: audit:{events['n_rows']}:{events['row_sha256']}")
    say(f"head of the accesses: accesses:{accesses['n_rows']}:{accesses['row_sha256']}")
    if stamps.is_wanted():
        say(f"stamped as of {stamps.stamp(ws.settings):%Y-%m-%d %H:%M:%S} UTC")
    return 0


def burnt_in_text(arguments: Namespace) -> int:
    """Say or set what becomes of pictures in which text is suspected."""
    ws, by = opened(arguments)
    if arguments.choice is None:
        say(noticing.choice(ws, by=by))
        return 0
    n_held = noticing.choose(ws, arguments.choice, by=by)
    say(f"pictures in which text is suspected: {arguments.choice}; {n_held} cases held back now")
    say_who(arguments)
    return 0


def look_for_text(arguments: Namespace) -> int:
    """Look for text in older pictures; the status is 1 if one cannot be read."""
    from review.burnt_in import search

    (ws, by), progress = opened(arguments), ProgressLine()
    try:
        found = search.look_for_text(
            ws, by=by, progress=lambda n_done, n_total: progress(n_done, n_total, "looking")
        )
    finally:
        progress.end()
    for problem in found.unreadable:
        say(f"PROBLEM {problem}")
    say(
        f"{found.n_looked} pictures looked at: text suspected in {found.n_suspected}, "
        f"{found.n_held} of them held back"
    )
    say_who(arguments)
    return 1 if found.unreadable else 0


def new_identity_key(arguments: Namespace) -> int:
    """Make a new key for the site, where the one it had is lost for good."""
    from review import identity

    settings = Settings.load(arguments.home)
    made = identity.renewed(settings)
    say(f"{settings.identity_key_path} is new, with fingerprint {made}")
    say("patients who are on record count as new from now on; the audit chain tells when")
    return 0


def seed_demo(arguments: Namespace) -> int:
    """Add the demonstration."""
    ws, by = opened(arguments)
    _seed(ws, by=by)
    say("the demonstration is there: 24 synthetic cases; a worker explains them")
    say_who(arguments)
    return 0


def _seed(ws: Workspace, *, by: Actor) -> None:
    from review.demo import seed

    seed.seed(ws, by=by)


def _files(path: Path) -> list[Path]:
    """Return a file itself, or every file below a folder but hidden ones, in order."""
    if not path.is_dir():
        return [path]
    below = sorted(path.rglob("*"))
    hidden = [any(part.startswith(".") for part in file.relative_to(path).parts) for file in below]
    return [file for file, skip in zip(below, hidden, strict=True) if not skip and file.is_file()]


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError as exc:
        raise CommandError(f"{text!r} is no time; allowed: 2026-11-01 or 2026-11-01T12:00") from exc
    return at if at.tzinfo else at.replace(tzinfo=UTC)
