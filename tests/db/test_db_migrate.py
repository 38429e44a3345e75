import itertools
import sqlite3
from importlib import import_module
from pathlib import Path

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import NullPool, column, create_engine, func, insert, inspect, select, table, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, sessionmaker

from db import audit, verdicts
from db.engine import engine_at, open_database
from db.errors import OlderSchemaError
from db.migrate import NEWEST, alembic_config, upgrade
from db.tables import (
    Account,
    AuditEvent,
    Base,
    Case,
    Explanation,
    Model,
    Prediction,
    Setting,
    Source,
    Verdict,
)
from db.types import CaseStatus, Exposure, Opinion, Origin, now
from tests import builders
from tests.db import keep_schema
from tests.every_method import WAYS, picture

NUMBERS = itertools.count()
OLD = sorted(keep_schema.DATA.glob("schema_*.sql"))
FORBIDDEN = (
    "UPDATE {table} SET comment = 'x'",
    "DELETE FROM {table}",
    "INSERT OR REPLACE INTO {table} SELECT * FROM {table}",
)


@pytest.fixture
def new(tmp_path: Path):
    sessions = open_database(f"sqlite:///{tmp_path / 'new.db'}")
    yield sessions
    sessions.kw["bind"].dispose()


@pytest.fixture(params=OLD, ids=lambda path: path.stem)
def old(request, tmp_path: Path) -> Path:
    """A database as an older version left it."""
    path = tmp_path / "old.db"
    connection = sqlite3.connect(path)
    connection.executescript(request.param.read_text())
    connection.close()
    return path


def upgraded_database(address: str) -> sessionmaker[Session]:
    engine = engine_at(address)
    upgrade(engine)
    engine.dispose()
    return open_database(address)


@pytest.fixture
def upgraded(old: Path):
    sessions = upgraded_database(f"sqlite:///{old}")
    yield sessions
    sessions.kw["bind"].dispose()


def n_rows(path: Path) -> dict[str, int]:
    connection = sqlite3.connect(path)
    tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    counted = {
        name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]
        for (name,) in tables
    }
    connection.close()
    return counted


def test_the_migrations_make_what_the_tables_say(new):
    with new() as session:
        command.check(alembic_config(session.connection()))


def test_the_newest_revision_is_the_last_migration(new):
    with new() as session:
        scripts = ScriptDirectory.from_config(alembic_config(session.connection()))
        assert session.scalar(text("SELECT version_num FROM alembic_version")) == NEWEST
    assert scripts.get_heads() == [NEWEST]


def test_every_schema_version_is_kept(new):
    with new() as session:
        scripts = ScriptDirectory.from_config(alembic_config(session.connection()))
    kept = {path.stem.removeprefix("schema_") for path in OLD}
    assert kept == {script.revision for script in scripts.walk_revisions()}


@pytest.mark.parametrize("old", OLD[:-1], ids=lambda path: path.stem, indirect=True)
def test_an_older_database_is_refused_and_left_alone(old):
    before = old.read_bytes()
    with pytest.raises(OlderSchemaError, match="python -m review upgrade"):
        open_database(f"sqlite:///{old}")
    assert old.read_bytes() == before


def test_no_row_of_an_old_database_is_lost(old):
    before = n_rows(old)
    assert min(before.values()) > 0
    del before["settings"]  # in which newer versions keep more
    sessions = upgraded_database(f"sqlite:///{old}")
    sessions.kw["bind"].dispose()
    after = n_rows(old)
    assert {name: after[name] for name in before} == before


def test_the_chain_of_an_old_database_still_holds(upgraded):
    with upgraded() as session:
        rows = session.query(Verdict).order_by(Verdict.id).all()
        assert [verdicts.row_sha256(row) for row in rows] == [row.row_sha256 for row in rows]
        assert verdicts.head(session) == (3, rows[-1].row_sha256)


def test_what_stood_at_the_upgrade_is_on_the_audit_chain(old):
    connection = sqlite3.connect(old)
    n_signed = connection.execute("SELECT count(*) FROM verdicts").fetchone()[0]
    named = connection.execute("SELECT id, name, role FROM accounts ORDER BY id").fetchall()
    connection.close()
    sessions = upgraded_database(f"sqlite:///{old}")
    with sessions() as session:
        events = session.query(AuditEvent).order_by(AuditEvent.id).all()
        assert audit.head(session) == (len(events), events[-1].row_sha256)
        assert all(audit.row_sha256(event) == event.row_sha256 for event in events)
    sessions.kw["bind"].dispose()
    if events[0].content["state"]["verdicts"]["n_rows"] == 0:
        return  # it was made with this schema already
    assert events[0].content["state"]["verdicts"]["n_rows"] == n_signed
    states = {(e.subject, e.subject_id): e.content["state"] for e in events}
    for id_, name, role in named:
        assert states["accounts", str(id_)].items() >= {"name": name, "role": role}.items()
    assert {"accounts", "models", "exports", "triage_events"} <= {e.subject for e in events}


@pytest.mark.parametrize("table", ["verdicts", "triage_events"])
@pytest.mark.parametrize("statement", FORBIDDEN)
def test_signed_rows_of_an_old_database_cannot_be_changed(upgraded, table, statement):
    with pytest.raises(IntegrityError, match="append-only"), upgraded.begin() as session:
        session.execute(text(statement.format(table=table)))


def first_form(of: type[Base], *added: str):
    """Return a table as schema 0001 had it."""
    columns = (column(c.name, c.type) for c in of.__table__.columns if c.name not in added)
    return table(of.__tablename__, *columns)


SIGNED = first_form(Verdict, "hash_version", "findings", "reasoning")
PREDICTED = first_form(Prediction, "answer", "certainty")
ADAPTIVE = {"rule": "adaptive", "n_steps": 512}
NAMED = {"preset": "quick", "baseline": "mean"}


@pytest.fixture(params=["sqlite", "postgresql"])
def before_recipes(request, tmp_path: Path) -> str:
    """The address of a database of schema 0001 with a prediction and three signed verdicts."""
    if request.param == "postgresql":
        server = request.getfixturevalue("postgresql_server")
        address = server.create(f"before_recipes_{next(NUMBERS)}")
    else:
        address = f"sqlite:///{tmp_path / 'old.db'}"
    with first_schema(address).begin() as session:
        reader = builders.account(session)
        model = old_model(session)
        prediction = old_prediction(session, old_case(session), model.id)
        signed = [old_verdict(session, prediction, reader, number) for number in (1, 2, 3)]
        session.merge(Setting(key=verdicts.HEAD_KEY, value={"n_rows": 3, "row_sha256": signed[-1]}))
    return address


def old_case(session: Session) -> int:
    """Add a case as it was before there were stacks; return its number."""
    old = first_form(Case, "stack_key")
    values = {"source_sha256": "5" * 64, "image_sha256": builders.artifact(session)}
    values |= {"source_format": "PNG", "width_px": 64, "height_px": 48, "n_channels": 1, "bits": 8}
    values |= {"window_low": 0.0, "window_high": 255.0, "rescale_slope": 1.0}
    values |= {"rescale_intercept": 0.0, "origin": Origin.UPLOAD, "status": CaseStatus.READY}
    values |= {"synthetic": False, "identifiers": {}, "notes": [], "created_at": now()}
    values |= {"acquisition": {"study_key": "s" * 32, "laterality": "L"}, "view_position": "CC"}
    session.execute(insert(old).values(id=1, **values))
    return 1


def old_model(session: Session) -> Model:
    """Add a model as it was before models could be suspended."""
    columns = [c for c in Model.__table__.columns if c.name != "suspended"]
    old = table("models", *(column(c.name, c.type) for c in columns))
    model = Model(id=1, name="old", version="1", architecture="x", card={"classes": list("abcd")})
    model.weights_sha256, model.active = builders.artifact(session), True
    model.created_at = now()
    session.execute(insert(old).values({c.name: getattr(model, c.name) for c in columns}))
    return model


def old_prediction(session: Session, case_id: int, model_id: int, **fields) -> Prediction:
    """Add a prediction as it was done before answers were stored with it."""
    values = {"target": 1, "label": "nodule", "score": 0.9, "scores": [0.05, 0.9, 0.03, 0.02]}
    values |= {"case_id": case_id, "model_id": model_id, "geometry": {}, "software": {}} | fields
    values["id"] = (session.scalar(select(func.max(PREDICTED.c.id))) or 0) + 1
    session.execute(insert(PREDICTED).values(created_at=now(), **values))
    return Prediction(**values)


def old_verdict(session: Session, prediction: Prediction, reader: Account, number: int) -> str:
    """Sign a verdict as it was done before hashes had versions, and return its hash."""
    last = session.scalar(select(func.max(SIGNED.c.id))) or 0
    previous = session.scalar(select(SIGNED.c.row_sha256).where(SIGNED.c.id == last))
    verdict = Verdict(
        id=last + 1,
        request_id=f"request {number}",
        case_id=prediction.case_id,
        prediction_id=prediction.id,
        reader_id=reader.id,
        supersedes_id=last or None,
        opinion=Opinion.ACCEPT,
        reasons=[],
        plausibility={},
        comment="",
        boxes=[],
        exposure=Exposure.EXPLANATION,
        active_seconds=5.0,
        evidence={},
        created_at=now(),
        previous_sha256=previous or verdicts.GENESIS,
        hash_version=1,
    )
    verdict.row_sha256 = verdicts.row_sha256(verdict)
    values = {name: getattr(verdict, name) for name in (c.name for c in SIGNED.c)}
    session.execute(insert(SIGNED).values(values))
    return verdict.row_sha256


def first_schema(address: str) -> sessionmaker[Session]:
    """Return sessions on a database, brought to schema 0001 if it has none."""
    engine = create_engine(
        address.replace("postgresql:", "postgresql+psycopg:"), poolclass=NullPool
    )
    with engine.begin() as connection:
        command.upgrade(alembic_config(connection), "0001")
    return sessionmaker(engine, expire_on_commit=False)


def upgraded_map(address: str, method: str, params: dict[str, object]) -> Explanation:
    """Return a map that was recorded before schema 0002, as it is after."""
    old = first_form(Explanation, "recipe", "channels_share")
    with first_schema(address).begin() as session:
        sha256 = builders.artifact(session)
        values = {"method": method, "params": params, "artifact_sha256": sha256, "key": sha256}
        sizes = {"prediction_id": 1, "target": 1, "width_px": 8, "height_px": 8}
        made = {"seconds": 0.5, "device": "cpu", "trust": {}, "software": {}, "created_at": now()}
        session.execute(insert(old).values(**values, **sizes, **made))
    sessions = upgraded_database(address)
    with sessions() as session:
        found = session.scalars(select(Explanation)).one()
    sessions.kw["bind"].dispose()
    return found


@pytest.mark.parametrize(
    ("method", "params", "made_by"),
    [
        ("occlusion", NAMED, NAMED),
        ("integrated_gradients", NAMED, NAMED | {"stepping": "fixed"}),
        ("integrated_gradients", NAMED | ADAPTIVE, NAMED | {"stepping": "adaptive"}),
        ("occlusion", {"baseline": "black"}, None),
    ],
)
def test_an_old_map_gets_the_recipe_that_its_parameters_say(
    before_recipes, method, params, made_by
):
    assert upgraded_map(before_recipes, method, params).recipe == made_by


@pytest.mark.parametrize(
    ("method", "params", "share"),
    [
        ("occlusion", {}, True),
        ("occlusion", {"channels": "together"}, True),
        ("occlusion", {"channels": "each"}, False),
        ("integrated_gradients", {}, False),
    ],
)
def test_whether_an_old_maps_channels_share_is_told_by_its_method(
    before_recipes, method, params, share
):
    assert upgraded_map(before_recipes, method, params).channels_share is share


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_what_an_old_map_is_told_is_what_its_method_says(way):
    made = way(way.model(), picture(0))
    migration = import_module("db.migrations.versions.0002_recipes")
    told = migration.channels_share(way.key, made.params)
    assert made.values.shape[0] == 1 or told is made.channels_share


def test_the_audit_chain_that_the_upgrade_begins_holds(before_recipes):
    """The migration and the application hash and describe a row alike, on each database."""
    sessions = upgraded_database(before_recipes)
    with sessions() as session:
        events = session.query(AuditEvent).order_by(AuditEvent.id).all()
        assert [audit.row_sha256(event) for event in events] == [e.row_sha256 for e in events]
        assert audit.head(session) == (len(events), events[-1].row_sha256)
        for name in ("accounts", "models"):
            subject = audit.SUBJECTS[name]
            row = session.execute(select(subject.table)).one()
            recorded = audit.last_state(session.connection(), name, row.id)
            assert recorded == subject.state(row)
    sessions.kw["bind"].dispose()


def test_verdicts_signed_before_recipes_were_stored_still_hold(before_recipes):
    sessions = upgraded_database(before_recipes)
    with sessions() as session:
        rows = session.query(Verdict).order_by(Verdict.id).all()
        assert [verdicts.row_sha256(row) for row in rows] == [row.row_sha256 for row in rows]
        assert verdicts.head(session) == (3, rows[-1].row_sha256)
    sessions.kw["bind"].dispose()


def test_nothing_cascades():
    keys = [key for table in Base.metadata.tables.values() for key in table.foreign_keys]
    assert keys
    assert {(key.ondelete, key.onupdate) for key in keys} == {(None, None)}


def test_every_constraint_has_a_name(new):
    with new() as session:
        inspector = inspect(session.connection())
        for table in Base.metadata.tables:
            named = inspector.get_foreign_keys(table) + inspector.get_unique_constraints(table)
            assert all(constraint["name"] for constraint in named), table


def test_a_case_of_before_is_one_frame_of_its_study(before_recipes):
    sessions = upgraded_database(before_recipes)
    with sessions() as session:
        (source,) = session.scalars(select(Source))
        case = session.get_one(Case, source.case_id)
    sessions.kw["bind"].dispose()
    assert (source.study_key, source.laterality, source.view_position) == ("s" * 32, "L", "CC")
    assert (source.source_sha256, source.created_at) == (case.source_sha256, case.created_at)
    assert (source.is_key, source.frame, source.n_frames, source.instance_key) == (True, 0, 1, None)
