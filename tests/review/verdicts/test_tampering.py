"""Everything that somebody with write access to the database might do in silence."""

import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from db import verdicts as chain
from db.engine import engine_at
from db.migrate import upgrade
from db.tables import Verdict
from db.types import Exposure, Opinion
from review.verdicts.verify import verify
from review.workspace import Workspace
from tests import builders
from tests.builders import OPERATOR
from tests.db import keep_schema
from tests.review.verdicts import tampered

SWAP = (
    "UPDATE accounts SET name = 'x' WHERE id = 1",
    "UPDATE accounts SET name = 'ada' WHERE id = 2",
    "UPDATE accounts SET name = 'ben' WHERE id = 1",
)
MAP_OF_ANOTHER = (
    "UPDATE explanations SET artifact_sha256 = "
    "(SELECT artifact_sha256 FROM explanations WHERE id = 3) WHERE id = 1"
)
# What was done, and how `verify` names it: the beginning of the first problem.
TAMPERINGS: dict[str, tuple[tuple[str, ...] | str, str]] = {
    # --- verdicts ---
    "a comment changed": (
        "UPDATE verdicts SET comment = 'x' WHERE id = 2",
        "verdict 2: its content was altered after it was signed",
    ),
    "findings changed": (
        'UPDATE verdicts SET findings = \'{"nodule": "absent"}\' WHERE id = 2',
        "verdict 2: its content was altered after it was signed",
    ),
    "the judgement of the reasoning changed": (
        "UPDATE verdicts SET reasoning = 'sound' WHERE id = 2",
        "verdict 2: its content was altered after it was signed",
    ),
    "an opinion changed": (
        "UPDATE verdicts SET opinion = 'accept' WHERE id = 3",
        "verdict 3: its content was altered after it was signed",
    ),
    "a verdict given to another reader": (
        "UPDATE verdicts SET reader_id = 3 WHERE id = 2",
        "verdict 2: its content was altered after it was signed",
    ),
    "evidence changed": (
        "UPDATE verdicts SET evidence = replace(evidence, 'nodule', 'normal') WHERE id = 1",
        "verdict 1: its content was altered after it was signed",
    ),
    "a hash version set back": (
        "UPDATE verdicts SET hash_version = 1 WHERE id = 2",
        "verdict 2: its content was altered after it was signed",
    ),
    "a hash version of no meaning": (
        "UPDATE verdicts SET hash_version = 9 WHERE id = 2",
        "verdict 2: its hash version is 9; this Second Look knows 1, 2, 3",
    ),
    "a verdict deleted": (
        "DELETE FROM verdicts WHERE id = 2",
        "verdict 3: a verdict before it is missing, inserted or altered",
    ),
    "the last verdict deleted": (
        "DELETE FROM verdicts WHERE id = 4",
        "verdict chain: 4 verdicts were signed and 3 are there",
    ),
    "the head of the verdicts changed": (
        "UPDATE settings SET value = json_set(value, '$.n_rows', 3) "
        "WHERE key = 'verdict_chain_head'",
        "verdict chain: 3 verdicts were signed and 4 are there",
    ),
    "the head of the verdicts is no number": (
        "UPDATE settings SET value = json_set(value, '$.n_rows', 'x') "
        "WHERE key = 'verdict_chain_head'",
        "verdict chain: 0 verdicts were signed and 4 are there",
    ),
    "evidence of another shape": (
        "UPDATE verdicts SET evidence = '[1]' WHERE id = 2",
        "verdict 2: its content was altered after it was signed",
    ),
    "evidence with a number beyond all": (
        'UPDATE verdicts SET evidence = \'{"maps": [{"explanation_id": 99999999999999999999}]}\' '
        "WHERE id = 2",
        "verdict 2: its content was altered after it was signed",
    ),
    "a reader of no number": (
        "UPDATE verdicts SET reader_id = 'ben' WHERE id = 2",
        "verdict 2: its content was altered after it was signed",
    ),
    # --- what a verdict rests on ---
    "two readers' accounts swapped": (
        SWAP,
        "verdict 1: its reader's account 'name' is 'ben' and was signed as 'ada'",
    ),
    "a reader renamed": (
        "UPDATE accounts SET name = 'eve' WHERE id = 2",
        "verdict 2: its reader's account 'name' is 'eve' and was signed as 'ben'",
    ),
    "a reader's account deleted": (
        "DELETE FROM accounts WHERE id = 2",
        "verdict 2: its reader's account 2 is not on record any more",
    ),
    "a prediction's label changed": (
        "UPDATE predictions SET label = 'normal' WHERE id = 2",
        "verdict 3: its prediction's label is 'normal' and was signed as 'nodule'",
    ),
    "a prediction's answer changed": (
        "UPDATE predictions SET answer = 'no finding' WHERE id = 1",
        "verdict 1: its prediction's answer is 'no finding' and was signed as 'nodule'",
    ),
    "a prediction's certainty changed": (
        "UPDATE predictions SET certainty = 0.2 WHERE id = 1",
        "verdict 1: its prediction's certainty is 0.2 and its scores say 0.9",
    ),
    "a prediction's score changed": (
        "UPDATE predictions SET score = 0.2 WHERE id = 1",
        "verdict 1: its prediction's score is 0.2 and was signed as 0.9",
    ),
    "a prediction's other scores changed": (
        "UPDATE predictions SET scores = '[0.05, 0.9, 0.02, 0.03]' WHERE id = 1",
        "verdict 1: its prediction's scores 2 is 0.02 and was signed as 0.03",
    ),
    "a prediction's scores are no JSON any more": (
        "UPDATE predictions SET scores = '[' WHERE id = 1",
        "verdict 1: a value of its prediction 1 was altered and cannot be read",
    ),
    "a prediction's target changed": (
        "UPDATE predictions SET target = 0 WHERE id = 1",
        "verdict 1: its prediction's target is 0 and was signed as 1",
    ),
    "a prediction moved on its image": (
        "UPDATE predictions SET geometry = json_set(geometry, '$.x', 9.0) WHERE id = 1",
        "verdict 1: its prediction's place on the image 'x' is 9.0 and was signed as 0.0",
    ),
    "a prediction deleted": (
        "DELETE FROM predictions WHERE id = 2",
        "verdict 3: its prediction 2 is not on record any more",
    ),
    "a prediction given to another case": (
        (
            "UPDATE predictions SET case_id = 9 WHERE id = 2",
            "UPDATE predictions SET case_id = 2 WHERE id = 1",
        ),
        "verdict 1: its prediction's case is 2 and was signed as 1",
    ),
    "a case pointed at another image": (
        "UPDATE cases SET image_sha256 = (SELECT image_sha256 FROM cases WHERE id = 2) "
        "WHERE id = 1",
        "verdict 1: its case's image is '",
    ),
    "a case deleted": (
        "DELETE FROM cases WHERE id = 2",
        "verdict 3: its case 2 is not on record any more",
    ),
    "a display window changed": (
        "UPDATE cases SET window_high = 255.0 WHERE id = 1",
        "verdict 1: its case's display window 1 is 255.0 and was signed as 4095.0",
    ),
    "a rescale changed": (
        "UPDATE cases SET rescale_intercept = -1024.0 WHERE id = 2",
        "verdict 3: its case's rescale 1 is -1024.0 and was signed as 0.0",
    ),
    "an image turned to the other side": (
        "UPDATE cases SET acquisition = json_set(acquisition, '$.laterality', 'R') WHERE id = 1",
        "verdict 1: its case's 'laterality' is 'R' and was signed as null",
    ),
    "an image taken otherwise": (
        "UPDATE cases SET modality = 'CT' WHERE id = 2",
        "verdict 3: its case's 'modality' is 'CT' and was signed as null",
    ),
    "an image of another width": (
        "UPDATE cases SET width_px = 640 WHERE id = 1",
        "verdict 1: its case's 'width' is 640 and was signed as 64",
    ),
    "a phantom made of a real image": (
        "UPDATE cases SET synthetic = 1 WHERE id = 1",
        "verdict 1: its case's mark as synthetic is true and was signed as false",
    ),
    "the order of the classes changed": (
        "UPDATE models SET card = json_set(card, '$.classes[0]', 'nodule', '$.classes[1]', "
        "'normal')",
        "verdict 1: its model's class list 0 is 'nodule' and was signed as 'normal'",
    ),
    "a class renamed": (
        "UPDATE models SET card = json_set(card, '$.classes[3]', 'normal heart')",
        "verdict 1: its model's class list 3 is 'normal heart' and was signed as 'cardiomegaly'",
    ),
    "the kind of scores changed": (
        "UPDATE models SET card = json_set(card, '$.scores', 'sigmoid')",
        "verdict 1: its model's kind of scores is 'sigmoid' and was signed as 'softmax'",
    ),
    "the preprocessing changed": (
        "UPDATE models SET card = json_set(card, '$.preprocessing.resize', 512)",
        "verdict 1: its model's preprocessing 'resize' is 512 and was signed as 224",
    ),
    "a model's weights replaced": (
        "UPDATE models SET weights_sha256 = (SELECT image_sha256 FROM cases WHERE id = 2)",
        "verdict 1: its model's weights is '",
    ),
    "a model renamed": (
        "UPDATE models SET version = '2'",
        "verdict 1: its prediction's model is 'sound 2' and was signed as 'sound 1'",
    ),
    "a model deleted": ("DELETE FROM models", "verdict 1: its model 1 is not on record any more"),
    "a map replaced": (MAP_OF_ANOTHER, "verdict 1: its map 1's artifact is '"),
    "a map's parameters changed": (
        "UPDATE explanations SET params = json_set(params, '$.n_steps', 500) WHERE id = 1",
        "verdict 1: its map 1's params 'n_steps' is 500 and was signed as 50",
    ),
    "a map's badge changed": (
        "UPDATE explanations SET trust = json_set(trust, '$.badge', 'poor') WHERE id = 3",
        "verdict 3: its map 3's trust 'badge' is 'poor' and was signed as 'good'",
    ),
    "a reason added to a map's badge": (
        "UPDATE explanations SET trust = json_set(trust, '$.extra', 1) WHERE id = 1",
        "verdict 1: its map 1's trust 'extra' is 1 and was not signed",
    ),
    "a map's method renamed": (
        "UPDATE explanations SET method = 'rise' WHERE id = 2",
        "verdict 1: its map 2's method is 'rise' and was signed as 'occlusion'",
    ),
    "a map's recipe changed": (
        "UPDATE explanations SET recipe = json_set(recipe, '$.baseline', 'white') WHERE id = 1",
        "verdict 1: its map 1's recipe 'baseline' is 'white' and was signed as 'black'",
    ),
    "a map's channels drawn otherwise": (
        "UPDATE explanations SET channels_share = 1 WHERE id = 4",
        "verdict 3: its map 4's channels_share is true and was signed as false",
    ),
    "a map given to another prediction": (
        "UPDATE explanations SET prediction_id = 1 WHERE id = 3",
        "verdict 3: its map 3's prediction is 1 and was signed as 2",
    ),
    "how far a map's sum is off changed": (
        "UPDATE explanations SET relative_delta = 0.5 WHERE id = 1",
        "verdict 1: its map 1's relative_delta is 0.5 and was signed as 0.01",
    ),
    "a map deleted": (
        "DELETE FROM explanations WHERE id = 2",
        "verdict 1: its map 2 is not on record any more",
    ),
    # --- triage, accounts, settings, exports ---
    "a triage step changed": (
        "UPDATE triage_events SET comment = 'x' WHERE id = 2",
        "triage event 2: its content was changed after it was recorded",
    ),
    "a disposition changed": (
        "UPDATE triage_events SET disposition = 'no_action' WHERE id = 2",
        "triage event 2: its content was changed after it was recorded",
    ),
    "a triage step deleted": (
        "DELETE FROM triage_events WHERE id = 2",
        "audit event 11: the triage event 2 is not on record any more",
    ),
    "all triage deleted": (
        "DELETE FROM triage_events",
        "audit event 10: the triage event 1 is not on record any more",
    ),
    "a triage step slipped in": (
        "INSERT INTO triage_events (id, case_id, actor_id, action, comment, created_at) "
        "SELECT 9, case_id, actor_id, 'reopen', '', created_at FROM triage_events WHERE id = 1",
        "triage event 9: the audit chain does not tell that it was added",
    ),
    "a role raised": (
        "UPDATE accounts SET role = 'administrator' WHERE id = 3",
        "account 3: its role is 'administrator' and was recorded as 'engineer'",
    ),
    "a role of no meaning": (
        "UPDATE accounts SET role = 'king' WHERE id = 3",
        "account 3: a value was altered and cannot be read",
    ),
    "an account closed": (
        "UPDATE accounts SET active = 0 WHERE id = 3",
        "account 3: its active is false and was recorded as true",
    ),
    "a password replaced": (
        "UPDATE accounts SET password_hash = 'known' WHERE id = 3",
        "account 3: its password was changed after it was recorded",
    ),
    "an account slipped in": (
        "INSERT INTO accounts (name, display_name, role, active, demo, created_at) "
        "SELECT 'eve', 'Eve', 'administrator', 1, 0, created_at FROM accounts WHERE id = 1",
        "account 4: the audit chain does not tell that it was added",
    ),
    "a sign-in link slipped in": (
        "INSERT INTO sign_in_tokens (token_sha256, account_id, created_at, expires_at) "
        f"SELECT '{'b' * 64}', 1, created_at, expires_at FROM sign_in_tokens",
        "sign-in link bbbbbbbbbbbbbbbb…: the audit chain does not tell that it was added",
    ),
    "a sign-in link given to another issuer": (
        "UPDATE sign_in_tokens SET issued_by = 3",
        "sign-in link aaaaaaaaaaaaaaaa…: its issued_by is 3 and was recorded as null",
    ),
    "a model switched off": (
        "UPDATE models SET active = 0",
        "model 1: its active is false and was recorded as true",
    ),
    "a setting changed": (
        "UPDATE settings SET value = '{\"name\": \"South\"}' WHERE key = 'site'",
        "setting site: its value name is 'South' and was recorded as 'North'",
    ),
    "a setting deleted": (
        "DELETE FROM settings WHERE key = 'site'",
        "audit event 8: the setting site is not on record any more",
    ),
    "an export's manifest changed": (
        "UPDATE exports SET manifest = '{\"n\": 2}'",
        "export 1: its content was changed after it was recorded",
    ),
    "an export deleted": (
        "DELETE FROM exports",
        "audit event 7: the export 1 is not on record any more",
    ),
    # --- text in pictures ---
    "a step with a picture slipped in": (
        "INSERT INTO text_events (id, case_id, step, image_sha256, masks, removed, created_at) "
        "SELECT 1, id, 'released', image_sha256, '[]', '[]', created_at FROM cases WHERE id = 1",
        "text event 1: the audit chain does not tell that it was added",
    ),
    "a case held back that nobody held": (
        "UPDATE cases SET status = 'held' WHERE id = 1",
        "case 1: its status is 'held' and it was never held back, or let pass",
    ),
    # --- the audit chain itself ---
    "an audit event changed": (
        "UPDATE audit_events SET actor_id = 1 WHERE id = 10",
        "audit event 10: its content was altered after it was recorded",
    ),
    "an audit event that tells of no row": (
        "UPDATE audit_events SET subject_id = 'x' WHERE id = 3",
        "audit event 3: its content was altered after it was recorded",
    ),
    "an audit event of another shape": (
        "UPDATE audit_events SET content = '[]' WHERE id = 3",
        "audit event 3: its content was altered after it was recorded",
    ),
    "an audit event deleted": (
        "DELETE FROM audit_events WHERE id = 3",
        "audit event 4: an audit event before it is missing, inserted or altered",
    ),
    "the last audit events deleted": (
        "DELETE FROM audit_events WHERE id > 10",
        "audit event chain: 12 audit events were recorded and 10 are there",
    ),
    "the head of the audit chain deleted": (
        "DELETE FROM settings WHERE key = 'audit_chain_head'",
        "audit event chain: 0 audit events were recorded and 12 are there",
    ),
    # --- accesses ---
    "an access given to another account": (
        "UPDATE accesses SET account_id = 2 WHERE id = 1",
        "access 1: its content was altered after it was recorded",
    ),
    "an access from another address": (
        "UPDATE accesses SET address = '10.0.0.8' WHERE id = 4",
        "access 4: its content was altered after it was recorded",
    ),
    "an access to another case": (
        "UPDATE accesses SET case_id = 1 WHERE id = 3",
        "access 3: its content was altered after it was recorded",
    ),
    "a refusal that tells of something else": (
        "UPDATE accesses SET content = '{}' WHERE id = 5",
        "access 5: its content was altered after it was recorded",
    ),
    "an access of another time": (
        "UPDATE accesses SET created_at = '2020-01-01 00:00:00.000000' WHERE id = 2",
        "access 2: its content was altered after it was recorded",
    ),
    "an access deleted": (
        "DELETE FROM accesses WHERE id = 2",
        "access 3: an access before it is missing, inserted or altered",
    ),
    "the first accesses deleted": (
        "DELETE FROM accesses WHERE id < 3",
        "access 3: an access before it is missing, inserted or altered",
    ),
    "the last accesses deleted": (
        "DELETE FROM accesses WHERE id > 3",
        "access chain: 5 accesses were recorded and 3 are there",
    ),
    "all accesses deleted": (
        "DELETE FROM accesses",
        "access chain: 5 accesses were recorded and 0 are there",
    ),
    "the head of the accesses deleted": (
        "DELETE FROM settings WHERE key = 'access_chain_head'",
        "access chain: 0 accesses were recorded and 5 are there",
    ),
    "accesses deleted, and a horizon slipped in that allows it": (
        (
            "INSERT INTO settings SELECT 'access_horizon', json_object('n_rows', 2, 'row_sha256', "
            "row_sha256), created_at FROM accesses WHERE id = 2",
            "DELETE FROM accesses WHERE id <= 2",
        ),
        "setting access_horizon: the audit chain does not tell that it was added",
    ),
    "a horizon that is no number": (
        "INSERT INTO settings VALUES ('access_horizon', '[]', '2026-01-01 00:00:00.000000')",
        "setting access_horizon: the audit chain does not tell that it was added",
    ),
}
# What takes away the guards; the rows stay as they were.
UNGUARDED: dict[str, tuple[tuple[str, ...] | str, str]] = {
    "a trigger dropped": (
        "DROP TRIGGER verdicts_no_update",
        "trigger verdicts_no_update on verdicts is missing",
    ),
    "the audit's trigger dropped": (
        "DROP TRIGGER audit_events_no_delete",
        "trigger audit_events_no_delete on audit_events is missing",
    ),
    "the trigger of the accesses dropped": (
        "DROP TRIGGER accesses_no_delete",
        "trigger accesses_no_delete on accesses is missing",
    ),
    "a trigger that does nothing put in its place": (
        (
            "DROP TRIGGER triage_events_no_delete",
            "CREATE TRIGGER triage_events_no_delete BEFORE DELETE ON triage_events "
            "BEGIN SELECT 1; END",
        ),
        "trigger triage_events_no_delete on triage_events was altered",
    ),
    "a trigger slipped in": (
        "CREATE TRIGGER helper AFTER INSERT ON verdicts BEGIN SELECT 1; END",
        "trigger helper on verdicts is none of Second Look's",
    ),
    "a constraint taken out": (
        (
            "PRAGMA writable_schema = ON",
            "UPDATE sqlite_master SET sql = replace(sql, 'CONSTRAINT uq_verdicts_supersedes_id "
            "UNIQUE (supersedes_id)', 'CHECK (1)') WHERE name = 'verdicts'",
            "DELETE FROM sqlite_master WHERE name = 'sqlite_autoindex_verdicts_4'",
        ),
        "constraint uq_verdicts_supersedes_id of verdicts is missing",
    ),
    "a foreign key taken out": (
        (
            "PRAGMA writable_schema = ON",
            "UPDATE sqlite_master SET sql = replace(sql, 'CONSTRAINT "
            "fk_verdicts_reader_id_accounts FOREIGN KEY(reader_id) REFERENCES accounts (id), ', "
            "'') WHERE name = 'verdicts'",
        ),
        "constraint fk_verdicts_reader_id_accounts of verdicts is missing",
    ),
    "a column that may be empty": (
        (
            "PRAGMA writable_schema = ON",
            "UPDATE sqlite_master SET sql = replace(sql, 'evidence JSON NOT NULL', "
            "'evidence JSON') WHERE name = 'verdicts'",
        ),
        "column verdicts.evidence lost its NOT NULL",
    ),
}


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Path:
    """The folder of a record that is as it should be."""
    home = tmp_path_factory.mktemp("honest")
    shutil.copy(empty_database, home / "second-look.db")
    ws = tampered.opened(home)
    tampered.fill(ws)
    assert verify(ws, by=OPERATOR).problems == ()
    ws.sessions.kw["bind"].dispose()
    return home


@pytest.fixture
def home(honest: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(honest, tmp_path / "home"))


def first_problem(home: Path) -> str:
    ws = tampered.opened(home)
    report = verify(ws, by=OPERATOR)
    ws.sessions.kw["bind"].dispose()
    return report.problems[0] if report.problems else "nothing"


def each(statements: tuple[str, ...] | str) -> tuple[str, ...]:
    return (statements,) if isinstance(statements, str) else statements


@pytest.mark.parametrize("name", TAMPERINGS)
def test_what_was_tampered_with_is_named(home, name):
    statements, expected = TAMPERINGS[name]
    tampered.tamper(home, each(statements))
    assert first_problem(home).startswith(expected)


@pytest.mark.parametrize("name", UNGUARDED)
def test_a_guard_that_is_gone_is_named(home, name):
    statements, expected = UNGUARDED[name]
    tampered.tamper(home, each(statements), guarded=False)
    assert first_problem(home) == expected


ON_POSTGRESQL = {
    "DROP TRIGGER verdicts_no_update ON verdicts": (
        "trigger verdicts_no_update on verdicts is missing",
        "CREATE TRIGGER verdicts_no_update BEFORE UPDATE ON verdicts FOR EACH ROW "
        "EXECUTE FUNCTION verdicts_append_only()",
    ),
    "ALTER TABLE triage_events DISABLE TRIGGER triage_events_no_delete": (
        "trigger triage_events_no_delete on triage_events is switched off",
        "ALTER TABLE triage_events ENABLE TRIGGER triage_events_no_delete",
    ),
    "CREATE OR REPLACE FUNCTION audit_events_append_only() RETURNS trigger LANGUAGE plpgsql "
    "AS $$ BEGIN RETURN NEW; END $$": (
        "trigger audit_events_no_update on audit_events was altered",
        "CREATE OR REPLACE FUNCTION audit_events_append_only() RETURNS trigger LANGUAGE plpgsql "
        "AS $$ BEGIN RAISE EXCEPTION 'audit_events are append-only'; END $$",
    ),
    "ALTER TABLE verdicts DROP CONSTRAINT uq_verdicts_request_id": (
        "constraint uq_verdicts_request_id of verdicts is missing",
        "ALTER TABLE verdicts ADD CONSTRAINT uq_verdicts_request_id UNIQUE (request_id)",
    ),
    "ALTER TABLE verdicts ALTER COLUMN evidence DROP NOT NULL": (
        "column verdicts.evidence lost its NOT NULL",
        "ALTER TABLE verdicts ALTER COLUMN evidence SET NOT NULL",
    ),
    "ALTER TABLE predictions DISABLE TRIGGER ALL": (
        "the check of a foreign key of predictions is switched off",
        "ALTER TABLE predictions ENABLE TRIGGER ALL",
    ),
}


@pytest.mark.parametrize("statement", ON_POSTGRESQL)
def test_a_guard_that_is_gone_is_named_on_postgresql(postgresql_server, tmp_path, statement):
    expected, mended = ON_POSTGRESQL[statement]
    ws = Workspace.open(tampered.Settings(tmp_path, postgresql_server.emptied(), bytes(32)))
    try:
        assert verify(ws, by=OPERATOR).problems == ()
        postgresql_server.run(statement, database="record")
        assert verify(ws, by=OPERATOR).problems[0] == expected
    finally:
        postgresql_server.run(mended, database="record")
        ws.sessions.kw["bind"].dispose()


@pytest.mark.parametrize("kept", sorted(keep_schema.DATA.glob("*.sql")), ids=lambda p: p.stem)
def test_a_record_of_an_older_version_verifies_as_it_was(tmp_path, kept):
    connection = sqlite3.connect(tmp_path / "second-look.db")
    connection.executescript(kept.read_text())
    before = connection.execute("SELECT row_sha256 FROM verdicts ORDER BY id").fetchall()
    connection.close()
    engine = engine_at(f"sqlite:///{tmp_path / 'second-look.db'}")
    upgrade(engine)
    engine.dispose()
    ws = tampered.opened(tmp_path)
    report = verify(ws, by=OPERATOR)
    with ws.read() as session:
        after = session.execute(text("SELECT row_sha256 FROM verdicts ORDER BY id")).all()
    ws.sessions.kw["bind"].dispose()
    # Its files were not kept.
    assert [problem for problem in report.problems if not problem.startswith("artifact ")] == []
    assert (report.n_verdicts, after) == (3, before)
    assert report.n_events > 4


@pytest.fixture
def of_before(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    """A verdict as it was signed before hashes had versions, with the evidence of that time."""
    monkeypatch.setattr(chain, "HASH_VERSION", 1)
    store = workspace.artifacts
    with workspace.begin() as session:
        reader = builders.account(session, name="ada")
        image = builders.artifact(session, store)
        weights = builders.artifact(session, store)
        case = builders.case(session, image_sha256=image)
        model = builders.model(session, name="sound", weights_sha256=weights)
        prediction = builders.prediction(session, case, model)
        kept = builders.artifact(session, store)
        shown = builders.explanation(session, prediction, artifact_sha256=kept)
        row = Verdict(
            request_id="old",
            case_id=case.id,
            prediction_id=prediction.id,
            reader_id=reader.id,
            opinion=Opinion.ACCEPT,
            exposure=Exposure.EXPLANATION,
            reasons=[],
            plausibility={},
            comment="",
            boxes=[],
            active_seconds=3,
            evidence={
                "case_id": case.id,
                "image_sha256": image,
                "model": "sound 1",
                "weights_sha256": weights,
                "label": "nodule",
                "score": 0.9,
                # Of "[0.05, 0.9, 0.03, 0.02]".
                "scores_sha256": builders.sha256("[0.05, 0.9, 0.03, 0.02]"),
                "maps": [
                    {
                        "explanation_id": shown.id,
                        "method": shown.method,
                        "target": shown.target,
                        "sha256": kept,
                        "params": shown.params,
                        "trust": shown.trust,
                        "software": shown.software,
                    }
                ],
                "software": {"torch": "2"},
            },
        )
        chain.append(session, row)
        assert row.hash_version == 1
    return workspace


def test_an_old_verdict_verifies_by_the_version_that_it_was_signed_under(of_before):
    assert verify(of_before, by=OPERATOR).problems == ()


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        (
            "UPDATE predictions SET label = 'normal'",
            "verdict 1: its prediction's label is 'normal' and was signed as 'nodule'",
        ),
        (
            "UPDATE predictions SET scores = '[0.04, 0.9, 0.04, 0.02]'",
            "verdict 1: its prediction's scores, as a hash, is '",
        ),
        (
            "UPDATE models SET version = '2'",
            "verdict 1: its prediction's model is 'sound 2' and was signed as 'sound 1'",
        ),
        (
            "UPDATE explanations SET trust = json_set(trust, '$.badge', 'poor')",
            "verdict 1: its map 1's trust 'badge' is 'poor' and was signed as 'good'",
        ),
        ("DELETE FROM explanations", "verdict 1: its map 1 is not on record any more"),
        # Its evidence does not name the answer; the scores do.
        (
            "UPDATE predictions SET answer = 'no finding'",
            "verdict 1: its prediction's answer is 'no finding' and its scores say 'nodule'",
        ),
        (
            "UPDATE verdicts SET findings = '{}'",
            "verdict 1: its findings column was filled: hash version 1 signs none",
        ),
        (
            "UPDATE verdicts SET reasoning = 'unsound'",
            "verdict 1: its reasoning column was filled: hash version 1 signs none",
        ),
        # Its evidence does not name the reader; the audit chain does.
        (
            "UPDATE accounts SET name = 'eve'",
            "account 1: its name is 'eve' and was recorded as 'ada'",
        ),
    ],
)
def test_an_old_verdict_is_compared_as_far_as_its_evidence_goes(of_before, statement, expected):
    of_before.sessions.kw["bind"].dispose()
    tampered.tamper(of_before.settings.home, [statement])
    assert verify(of_before, by=OPERATOR).problems[0].startswith(expected)


def test_a_verdict_of_the_old_kind_after_one_of_the_new_is_named(home, monkeypatch):
    """Somebody who signs by an old version, so as to sign less, shows."""
    ws = tampered.opened(home)
    monkeypatch.setattr(chain, "HASH_VERSION", 1)
    with ws.begin() as session:
        last = session.get_one(Verdict, 4)
        names = [*chain.SENT]
        again = Verdict(**{name: getattr(last, name) for name in names} | {"request_id": "again"})
        chain.append(session, again)
    expected = "verdict 5: its hash version is 1, and one before it has 3"
    assert verify(ws, by=OPERATOR).problems[0] == expected
    ws.sessions.kw["bind"].dispose()


def test_a_column_added_some_day_leaves_the_record_clean(home):
    tampered.tamper(home, ["ALTER TABLE verdicts ADD COLUMN some_day VARCHAR(64)"], guarded=False)
    assert first_problem(home) == "nothing"


def test_an_honest_change_does_not_make_a_silent_one_right(home):
    """The role was raised behind the application's back; a new name does not launder it."""
    tampered.tamper(home, ["UPDATE accounts SET role = 'administrator' WHERE id = 3"])
    ws = tampered.opened(home)
    with ws.begin() as session:
        session.execute(text("SELECT 1"))
        session.get_one(tampered.audit.Account, 3).display_name = "Grace H."
    ws.sessions.kw["bind"].dispose()
    assert first_problem(home) == (
        "account 3: its role is 'administrator' and was recorded as 'engineer'"
    )


def test_nothing_is_named_where_nothing_was_done(home):
    assert first_problem(home) == "nothing"
