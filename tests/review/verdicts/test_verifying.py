import random
import sqlite3

import pytest

from db.tables import Artifact, Verdict
from db.types import Opinion
from review.audit import live, walk
from review.verdicts import sign
from review.verdicts import verify as verifying
from review.verdicts.sign import VerdictDraft
from review.verdicts.verify import verify
from review.workspace import Workspace
from tests import builders
from tests.builders import OPERATOR

# One altered value a column: some contradict their type, so that reading the row fails.
ALTERED = {
    "id": "17",
    "request_id": "'another'",
    "case_id": "9",
    "prediction_id": "9",
    "reader_id": "3",
    "opinion": "'bccept'",
    "reasons": "'[\"other\"'",
    "corrected_label": "'nodule'",
    "findings": '\'{"nodule": "absent"}\'',
    "reasoning": "'sound'",
    "plausibility": "'{}}'",
    "comment": "'as expectee'",
    "boxes": "'{}'",
    "exposure": "'image_only'",
    "active_seconds": "'three'",
    "evidence": "replace(evidence, 'nodule', 'normal')",
    "supersedes_id": "1",
    "created_at": "'yesterday'",
    "previous_sha256": "upper(previous_sha256)",
    "row_sha256": "upper(row_sha256)",
    "hash_version": "1",
}


@pytest.fixture
def signed(workspace: Workspace) -> Workspace:
    """Three verdicts on one case whose artifacts all exist."""
    sign_each(workspace, n=3)
    return workspace


def sign_each(ws: Workspace, *, n: int) -> None:
    store = ws.artifacts
    with ws.begin() as session:
        case = builders.case(session, image_sha256=builders.artifact(session, store))
        model = builders.model(session, weights_sha256=builders.artifact(session, store))
        prediction = builders.prediction(session, case, model)
        shown = builders.explanation(
            session, prediction, artifact_sha256=builders.artifact(session, store)
        )
        token = sign.evidence_token(session, prediction.id, [shown.id])
        readers = [builders.account(session).id for _ in range(n)]
    for reader in readers:
        draft = VerdictDraft(
            f"request {reader}",
            case.id,
            prediction.id,
            Opinion.ACCEPT,
            token,
            explanation_ids=(shown.id,),
            comment="as expected",
            active_seconds=3,
        )
        sign.record(ws, reader, draft)


def tamper(ws: Workspace, *statements: str) -> None:
    """Change the database as somebody with full access to its file would."""
    ws.sessions.kw["bind"].dispose()
    connection = sqlite3.connect(ws.settings.home / "second-look.db")
    triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
    guards = dict(triggers.fetchall())
    for trigger in guards:
        connection.execute(f"DROP TRIGGER {trigger}")
    for statement in statements:
        connection.execute(statement)
    for guard in guards.values():
        connection.execute(guard)
    connection.commit()
    connection.close()


def test_an_honest_record_is_clean(each_workspace):
    sign_each(each_workspace, n=3)
    seen = []
    report = verify(
        each_workspace, progress=lambda done, total: seen.append((done, total)), by=OPERATOR
    )
    assert (report.problems, report.n_problems, report.orphans) == ((), 0, ())
    assert (report.n_verdicts, report.n_artifacts) == (3, 3)
    with each_workspace.read() as session:
        n_audited = live.n_rows(session)
    total = len(seen)
    assert seen == [(done, total) for done in range(1, total + 1)]
    assert total == 3 + 3 + report.n_events + n_audited
    with each_workspace.read() as session:
        assert report.head_sha256 == session.get_one(Verdict, 3).row_sha256


def test_an_empty_record_is_clean(workspace):
    report = verify(workspace, by=OPERATOR)
    assert (report.n_verdicts, report.n_artifacts, report.problems) == (0, 0, ())
    assert report.head_sha256 == "0" * 64


def test_a_long_record_is_read_in_batches(workspace, monkeypatch):
    monkeypatch.setattr(walk, "BATCH", 2)
    monkeypatch.setattr(live, "BATCH", 2)
    monkeypatch.setattr(verifying, "BATCH", 2)
    sign_each(workspace, n=5)
    report = verify(workspace, by=OPERATOR)
    assert (report.n_verdicts, report.n_artifacts, report.problems) == (5, 3, ())
    tamper(workspace, "UPDATE verdicts SET comment = 'x' WHERE id = 4")
    assert verify(workspace, by=OPERATOR).problems[0].startswith("verdict 4:")


@pytest.mark.parametrize("column", [column.name for column in Verdict.__table__.columns])
def test_an_altered_value_is_found_in_every_column(signed, column):
    tamper(signed, f"UPDATE verdicts SET {column} = {ALTERED[column]} WHERE id = 2")
    first = verify(signed, by=OPERATOR).problems[0]
    # A changed id moves the row in the order of signing, so that the one after it shows first.
    assert first.startswith("verdict 3:" if column == "id" else "verdict 2:")


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("DELETE FROM verdicts WHERE id = 1", "verdict 2: a verdict before it is missing"),
        ("DELETE FROM verdicts WHERE id = 2", "verdict 3: a verdict before it is missing"),
        ("DELETE FROM verdicts WHERE id = 3", "3 verdicts were signed and 2 are there"),
        ("DELETE FROM verdicts", "3 verdicts were signed and 0 are there"),
        ("DELETE FROM settings", "0 verdicts were signed and 3 are there"),
        ("UPDATE settings SET value = 'x'", "0 verdicts were signed and 3 are there"),
    ],
)
def test_a_missing_row_is_found(signed, statement, expected):
    tamper(signed, statement)
    assert expected in verify(signed, by=OPERATOR).problems[0]


def test_a_row_slipped_in_is_found(signed):
    columns = [column.name for column in Verdict.__table__.columns]
    changed = {
        "id": "4",
        "request_id": "'slipped in'",
        "row_sha256": f"'{'f' * 64}'",
        "previous_sha256": "row_sha256",
    }
    given = ", ".join(columns)
    values = ", ".join(changed.get(name, name) for name in columns)
    tamper(signed, f"INSERT INTO verdicts ({given}) SELECT {values} FROM verdicts WHERE id = 3")
    assert verify(signed, by=OPERATOR).problems == (
        "verdict 4: its content was altered after it was signed",
        verify(signed, by=OPERATOR).problems[1],
    )
    assert "3 verdicts were signed and 4 are there" in verify(signed, by=OPERATOR).problems[1]


def test_any_flipped_byte_of_a_signed_row_is_found(signed):
    path = signed.settings.home / "second-look.db"
    with signed.read() as session:
        row = session.get_one(Verdict, 2)
    signed.sessions.kw["bind"].dispose()
    honest = path.read_bytes()
    begin = honest.index(row.request_id.encode() + b"\x02accept")
    end = honest.index(row.row_sha256.encode(), begin) + 64
    random.seed(1)
    for position in [begin, end - 1, *random.sample(range(begin, end), 60)]:
        data = bytearray(honest)
        data[position] ^= 1
        path.write_bytes(data)
        assert verify(signed, by=OPERATOR).problems[0].startswith("verdict 2:"), position
        signed.sessions.kw["bind"].dispose()


def test_evidence_that_was_removed_from_the_record_is_missed(signed):
    with signed.read() as session:
        image = session.get_one(Verdict, 1).evidence["image_sha256"]
    tamper(signed, f"DELETE FROM artifacts WHERE sha256 = '{image}'")
    report = verify(signed, by=OPERATOR)
    assert report.problems[0] == f"verdict 1: its evidence {image} is not on record"
    assert report.orphans == (signed.artifacts.path(image),)


def test_every_changed_byte_of_an_artifact_is_found(signed):
    with signed.read() as session:
        sha256 = session.get_one(Verdict, 1).evidence["image_sha256"]
    path = signed.artifacts.path(sha256)
    honest = path.read_bytes()
    for position in range(len(honest)):
        data = bytearray(honest)
        data[position] ^= 1
        path.write_bytes(data)
        assert verify(signed, by=OPERATOR).problems == (
            f"artifact {sha256}: its content was altered",
        )


def test_a_missing_artifact_and_a_wrong_size_are_named(signed):
    with signed.read() as session:
        first, second, _ = session.query(Artifact).order_by(Artifact.sha256)
    signed.artifacts.path(first.sha256).unlink()
    tamper(signed, f"UPDATE artifacts SET n_bytes = 1 WHERE sha256 = '{second.sha256}'")
    assert verify(signed, by=OPERATOR).problems == (
        f"artifact {first.sha256}: cannot be read (No such file or directory)",
        f"artifact {second.sha256}: has {second.n_bytes} bytes, on record are 1",
    )


def test_files_that_no_row_names_are_reported_but_no_problem(signed):
    folder = signed.settings.artifacts_path / "ab"
    folder.mkdir(exist_ok=True)
    strays = {folder / "stray", folder / ".partial-x", folder.parent / "notes.txt"}
    for stray in strays:
        stray.write_bytes(b"left by a crash")
    report = verify(signed, by=OPERATOR)
    assert (report.problems, set(report.orphans)) == ((), strays)


def test_only_the_first_of_very_many_problems_are_named(signed, monkeypatch):
    monkeypatch.setattr(verifying, "MAX_NAMED", 2)
    for path in signed.settings.artifacts_path.rglob("*"):
        if path.is_file():
            path.unlink()
    report = verify(signed, by=OPERATOR)
    assert (report.n_problems, len(report.problems)) == (3, 2)


def test_readers_sign_while_the_record_is_verified(signed):
    """A verdict signed during the walk belongs to it, and nobody waits."""
    report = verify(
        signed, progress=lambda done, _: sign_each(signed, n=1) if done == 1 else None, by=OPERATOR
    )
    assert (report.n_verdicts, report.problems) == (4, ())
