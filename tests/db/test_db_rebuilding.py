import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, sessionmaker

from db import standing, verdicts
from db.engine import open_database
from db.errors import SchemaError
from db.migrate import changing_schema
from db.rebuilding import rebuilt_table
from db.tables import Prediction, Verdict
from tests import builders
from tests.many_verdicts import sign_many

N_VERDICTS = 10_000
NUMBERS = itertools.count()


@pytest.fixture
def filled(each_sessions: sessionmaker[Session]) -> sessionmaker[Session]:
    """One verdict, on a prediction that has one map."""
    with each_sessions.begin() as session:
        prediction = builders.prediction(session, builders.case(session), builders.model(session))
        builders.explanation(session, prediction)
        builders.verdict(session, prediction, builders.account(session))
    return each_sessions


@pytest.fixture(params=["sqlite", "postgresql"])
def large(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sessionmaker[Session]]:
    """A database of its own, for its schema is changed, with ten thousand verdicts."""
    if request.param == "postgresql":
        server = request.getfixturevalue("postgresql_server")
        address = server.create(f"rebuilding_{next(NUMBERS)}")
    else:
        address = f"sqlite:///{tmp_path / 'record.db'}"
    sessions = open_database(address)
    with sessions.begin() as session:
        reader = builders.account(session)
        prediction = builders.prediction(session, builders.case(session), builders.model(session))
        sign_many(session, prediction, reader, N_VERDICTS)
    yield sessions
    sessions.kw["bind"].dispose()


def operations(connection: sa.Connection) -> Operations:
    return Operations(MigrationContext.configure(connection))


def enforces(engine: sa.Engine) -> bool:
    on_sqlite = engine.dialect.name == "sqlite"
    with engine.connect() as connection:
        return not on_sqlite or connection.scalar(sa.text("PRAGMA foreign_keys")) == 1


@pytest.mark.parametrize("table", ["verdicts", "predictions"])
def test_a_table_that_others_refer_to_is_rebuilt_with_all_rows_and_triggers(large, table):
    engine = large.kw["bind"]
    with changing_schema(engine) as connection, rebuilt_table(operations(connection), table) as t:
        t.alter_column("created_at", nullable=True)  # SQLite does this by a new table only
    with large() as session:
        rows = session.scalars(sa.select(Verdict).order_by(Verdict.id)).all()
        assert len(rows) == N_VERDICTS
        assert all(verdicts.row_sha256(row) == row.row_sha256 for row in rows)
        assert session.scalar(sa.select(sa.func.count()).select_from(Prediction)) == 1
        found = list(standing.problems(session.connection()))
    assert found == [f"column {table}.created_at lost its NOT NULL"]
    assert enforces(engine)


def refused(filled: sessionmaker[Session], statement: str) -> str:
    """Change the schema by a statement that loses something; return what is said."""
    engine = filled.kw["bind"]
    with pytest.raises(SchemaError) as caught, changing_schema(engine) as connection:
        connection.execute(sa.text(statement))
    with filled() as session:
        assert list(standing.problems(session.connection())) == []
        assert session.scalar(sa.select(sa.func.count()).select_from(Verdict)) == 1
    assert enforces(engine)
    return str(caught.value)


def test_a_change_that_loses_rows_is_undone(filled):
    said = refused(filled, "DELETE FROM explanations")
    assert said == "the upgrade would lose 1 of 1 rows of explanations: nothing was changed"


def test_a_change_that_loses_a_trigger_is_undone(filled):
    on = " ON verdicts" if filled.kw["bind"].dialect.name == "postgresql" else ""
    said = refused(filled, f"DROP TRIGGER verdicts_no_update{on}")
    assert "the trigger verdicts_no_update on verdicts" in said


def test_a_change_that_leaves_a_reference_dangling_is_undone(workspace):
    with workspace.begin() as session:
        builders.case(session)
    with (
        pytest.raises(SchemaError, match="what row 1 of cases refers to"),
        changing_schema(workspace.sessions.kw["bind"]) as connection,
    ):
        connection.execute(sa.text("UPDATE artifacts SET sha256 = 'another' WHERE rowid = 1"))


def test_without_it_sqlite_refuses_to_rebuild_a_table_that_others_refer_to(workspace):
    with workspace.begin() as session:
        builders.prediction(session, builders.case(session), builders.model(session))
        builders.explanation(session, session.get_one(Prediction, 1))
    with (
        pytest.raises(IntegrityError),
        workspace.sessions.kw["bind"].begin() as connection,
        operations(connection).batch_alter_table("predictions") as batch,
    ):
        batch.alter_column("created_at", nullable=True)
