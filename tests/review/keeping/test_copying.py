import itertools

import pytest
from sqlalchemy import inspect, text
from sqlalchemy.exc import DBAPIError

from db import standing
from db.engine import engine_at, open_database
from db.errors import CopyError, SchemaError
from review.errors import BackupError, InUseError
from review.keeping.copying import copy_to
from review.workspace import Workspace
from tests import builders
from tests.many_verdicts import sign_many
from tests.review.keeping import homes

NUMBERS = itertools.count()


@pytest.fixture
def home(workspace: Workspace) -> Workspace:
    """A home with verdicts, artifacts, settings and times; nobody has it open."""
    homes.fill(workspace)
    with workspace.begin() as session:
        case, model = builders.case(session, acquisition={"α": 1.5e-7}), builders.model(session)
        prediction = builders.prediction(session, case, model)
        builders.explanation(session, prediction, seconds=1 / 3)
        sign_many(session, prediction, builders.account(session, name="grüße"), 1200)
    homes.write_artifacts(workspace.settings.home)
    homes.close(workspace)
    return workspace


@pytest.fixture
def target(postgresql_server) -> str:
    return postgresql_server.create(f"copied_{next(NUMBERS)}")


def test_a_copied_record_is_the_same_and_goes_on(home, target):
    before = homes.contents(home)
    made = copy_to(home.settings, target)
    assert made.contents == before
    assert made.contents.heads["verdicts"]["n_rows"] == 1201
    assert made.report.n_problems == 0
    ws = homes.opened(home.settings.home, target)
    assert homes.contents(ws) == before
    # Every sequence counts on: rows of each kind can be added.
    with ws.begin() as session:
        case, model = builders.case(session), builders.model(session, name="next")
        prediction = builders.prediction(session, case, model)
        builders.explanation(session, prediction)
        builders.job(session)
        signed = builders.verdict(session, prediction, builders.account(session))
        assert signed.id == 1202
    with pytest.raises(DBAPIError, match="append-only"), ws.begin() as session:
        session.execute(text("UPDATE verdicts SET comment = 'x'"))
    with ws.read() as session:
        assert list(standing.problems(session.connection())) == []
    homes.close(ws)
    assert homes.contents(home) == before


def test_a_record_goes_back_to_sqlite_too(home, target, tmp_path):
    copy_to(home.settings, target)
    settings = homes.opened(home.settings.home, target)
    homes.close(settings)
    made = copy_to(settings.settings, f"sqlite:///{tmp_path / 'back.db'}")
    assert made.contents == homes.contents(home)


def test_a_target_that_holds_anything_is_refused_and_left_alone(home, target):
    sessions = open_database(target)
    with sessions.begin() as session:
        builders.account(session, name="already here")
    with pytest.raises(CopyError, match="not empty: nothing was copied"):
        copy_to(home.settings, target)
    with sessions() as session:
        assert session.scalars(text("SELECT name FROM accounts")).all() == ["already here"]
    sessions.kw["bind"].dispose()


def test_a_copy_that_fails_leaves_no_row(home, target):
    with home.begin() as session:
        session.execute(text("UPDATE cases SET modality = 'a' || char(0) || 'b' WHERE id = 1"))
    home.sessions.kw["bind"].dispose()
    with pytest.raises(CopyError, match="a value of cases from 1 to 2 does not fit"):
        copy_to(home.settings, target)
    engine = engine_at(target)
    with engine.connect() as connection:
        assert inspect(connection).get_table_names() == []
    engine.dispose()
    with home.begin() as session:
        session.execute(text("UPDATE cases SET modality = NULL"))
    home.sessions.kw["bind"].dispose()
    assert copy_to(home.settings, target).report.n_problems == 0


def test_a_record_that_is_not_sound_is_not_taken_into_use(home, target):
    with home.begin() as session:
        session.execute(text("UPDATE accounts SET role = 'administrator'"))
    home.sessions.kw["bind"].dispose()
    with pytest.raises(BackupError, match="stay with the old database"):
        copy_to(home.settings, target)


def test_a_home_that_is_open_is_not_copied(home, target):
    ws = homes.opened(home.settings.home)
    with pytest.raises(InUseError, match="stop the server"):
        copy_to(home.settings, target)
    homes.close(ws)


@pytest.mark.parametrize("address", ["mysql://host/name", "here"])
def test_an_address_that_is_none_is_refused(home, address):
    with pytest.raises(SchemaError, match="allowed are"):
        copy_to(home.settings, address)


def test_a_database_is_not_copied_onto_itself(home):
    with pytest.raises(CopyError, match="the database itself"):
        copy_to(home.settings, home.settings.database_url)
