"""A small record in which everything happened once, and somebody who writes into its database."""

import sqlite3
from collections.abc import Iterable
from pathlib import Path

from db import audit
from db.tables import Export, Setting, SignInToken
from db.types import AccessKind, Disposition, Opinion, Role, now
from review.settings import Settings
from review.triage import queue
from review.verdicts import sign
from review.verdicts.sign import VerdictDraft
from review.whence import Whence, coming_from
from review.workspace import Workspace
from tests import builders

CARD = {
    "name": "sound",
    "version": "1",
    "classes": builders.CLASSES,
    "scores": "softmax",
    "preprocessing": {"channels": 1, "mean": [0.5], "std": [0.5], "resize": 224},
}


def opened(home: Path) -> Workspace:
    """Open a record in a folder."""
    (home / "identity.key").write_bytes(bytes(32))
    return Workspace.open(Settings(home, f"sqlite:///{home / 'second-look.db'}", bytes(32)))


def fill(ws: Workspace) -> None:
    """Sign four verdicts (the last supersedes the first), triage, export, change a role."""
    store = ws.artifacts
    with ws.begin() as session:
        for name in ("ada", "ben"):
            builders.account(session, name=name)
        grace = builders.account(session, Role.ENGINEER, name="grace")
        weights = builders.artifact(session, store)
        model = builders.model(session, name="sound", weights_sha256=weights, card=CARD)
        shown = []
        for _ in range(2):
            image = builders.artifact(session, store)
            case = builders.case(session, image_sha256=image, window_high=4095.0, bits=12)
            prediction = builders.prediction(session, case, model)
            maps = [
                builders.explanation(
                    session,
                    prediction,
                    method=method,
                    recipe={"preset": "standard", "baseline": "black"},
                    artifact_sha256=builders.artifact(session, store),
                ).id
                for method in ("integrated_gradients", "occlusion")
            ]
            token = sign.evidence_token(session, prediction.id, maps)
            shown.append((case.id, prediction.id, token, tuple(maps)))
        session.add_all(
            [
                Setting(key="site", value={"name": "North"}),
                SignInToken(token_sha256="a" * 64, account_id=1, expires_at=now()),
                Export(schema_version="1", filters={}, manifest={"n": 1}, created_by=grace.id),
            ]
        )
    for reader, (case, prediction, token, maps), supersedes_id in (
        *((1, shown[0], None), (2, shown[0], None), (1, shown[1], None)),
        (1, shown[0], 1),
    ):
        with ws.read() as session:
            number = audit.head(session)[0] + n_signed(ws)
        draft = VerdictDraft(
            f"request {number}",
            case,
            prediction,
            Opinion.REJECT,
            token,
            explanation_ids=maps,
            reasons=("other",),
            comment="as expected",
            active_seconds=3,
            supersedes_id=supersedes_id,
        )
        sign.record(ws, reader, draft)
    queue.comment(ws, 1, actor_id=3, text="looks at the marker")
    queue.close(ws, 1, actor_id=3, disposition=Disposition.SHORTCUT)
    queue.comment(ws, 2, actor_id=3, text="an ordinary error")
    with coming_from(Whence("c" * 64, "10.0.0.7")):
        for case_id in (1, 2):
            ws.trail.note(AccessKind.CASE_OPENED, 1, case_id=case_id)
            ws.trail.note(AccessKind.PIXELS_FETCHED, 1, case_id=case_id)
        ws.trail.note_at_once(AccessKind.REFUSED, 2, action="export the feedback")


def n_signed(ws: Workspace) -> int:
    """Return how many verdicts were signed."""
    with ws.read() as session:
        return sign.chain.head(session)[0]


def tamper(home: Path, statements: Iterable[str], *, guarded: bool = True) -> None:
    """Change the database as somebody with full access to its file would.

    Triggers are taken away before, and put back after unless `guarded` is off.
    """
    connection = sqlite3.connect(home / "second-look.db")
    rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
    guards = dict(rows.fetchall())
    for trigger in guards if guarded else ():
        connection.execute(f"DROP TRIGGER {trigger}")
    for statement in statements:
        connection.execute(statement)
    for guard in guards.values() if guarded else ():
        connection.execute(guard)
    connection.commit()
    connection.close()
