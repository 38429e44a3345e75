import sqlite3

import pytest

from db.tables import Verdict
from db.types import Opinion
from review import verdicts
from review.verdicts import VerdictDraft
from review.verifying import verify
from review.workspace import Workspace
from tests import builders

TRIGGERS = ("verdicts_no_update", "verdicts_no_delete")


@pytest.fixture
def signed(workspace: Workspace) -> Workspace:
    """Three verdicts on one case whose artifacts all exist."""
    store = workspace.artifacts
    with workspace.begin() as session:
        case = builders.case(session, image_sha256=builders.artifact(session, store))
        model = builders.model(session, weights_sha256=builders.artifact(session, store))
        prediction = builders.prediction(session, case, model)
        shown = builders.explanation(
            session, prediction, artifact_sha256=builders.artifact(session, store)
        )
        token = verdicts.evidence_token(session, prediction.id, [shown.id])
        readers = [builders.account(session).id for _ in range(3)]
    for reader in readers:
        draft = VerdictDraft(
            f"request {reader}",
            case.id,
            prediction.id,
            Opinion.ACCEPT,
            token,
            explanation_ids=(shown.id,),
            comment="as expected",
        )
        verdicts.record(workspace, reader, draft)
    return workspace


def tamper(ws: Workspace, statement: str) -> None:
    """Change the database as somebody with full access to its file would."""
    connection = sqlite3.connect(ws.settings.home / "second-look.db")
    for trigger in TRIGGERS:
        connection.execute(f"DROP TRIGGER {trigger}")
    connection.execute(statement)
    connection.commit()
    connection.close()


def test_an_honest_record_is_clean(signed):
    seen = []
    report = verify(signed, progress=lambda done, total: seen.append((done, total)))
    assert report.problems == ()
    assert (report.n_verdicts, report.n_artifacts, report.orphans) == (3, 3, ())
    assert seen[-1] == (6, 6)


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("UPDATE verdicts SET comment = 'as expectee' WHERE id = 2", "verdict 2"),
        ("UPDATE verdicts SET active_seconds = 0.1 WHERE id = 1", "verdict 1"),
        ("UPDATE verdicts SET row_sha256 = upper(row_sha256) WHERE id = 3", "verdict 3"),
        ("DELETE FROM verdicts WHERE id = 2", "verdict 3"),
        ("DELETE FROM verdicts WHERE id = 3", "3 verdicts were signed, 2 are there"),
    ],
)
def test_tampering_is_found_and_the_first_bad_row_named(signed, statement, expected):
    tamper(signed, statement)
    assert expected in verify(signed).problems[0]


def test_every_changed_byte_of_an_artifact_is_found(signed):
    with signed.read() as session:
        sha256 = session.get(Verdict, 1).evidence["image_sha256"]
    path = signed.artifacts.path(sha256)
    data = bytearray(path.read_bytes())
    data[0] ^= 1
    path.write_bytes(data)
    assert f"artifact {sha256}: its content was altered" in verify(signed).problems
    path.unlink()
    assert "cannot be read" in verify(signed).problems[0]


def test_a_file_that_no_row_names_is_reported_but_no_problem(signed):
    stray = signed.settings.artifacts_path / "ab" / "stray"
    stray.parent.mkdir(exist_ok=True)
    stray.write_bytes(b"left by a crash")
    report = verify(signed)
    assert (report.problems, report.orphans) == ((), (stray,))
