import pytest
from sqlalchemy import event, text
from sqlalchemy.orm import Session

from db.tables import Base, Case, Prediction
from db.types import CaseStatus, TriageReason
from review.cases import worklist
from review.cases.worklist import Sort, Unread, WorklistQuery
from tests import builders
from tests.builders import OPERATOR

TABLES = ("predictions", "verdicts", "triage_flags", "jobs", "accounts", "models")
FILTERS = [
    {"text": "17"},
    {"text": "nodule"},
    {"status": CaseStatus.READY},
    {"label": "nodule"},
    {"label": "nodule", "model_id": 1},
    {"model_id": 1},
    {"flag": TriageReason.REJECTED},
    {"reader_id": 1},
    {"unread_by": 1},
    {"sort": Sort.LEAST_CERTAIN},
]


@pytest.mark.parametrize("fields", FILTERS, ids=str)
def test_every_filter_goes_through_indexes(workspace, fields):
    """No table but that of the cases is read from its first row to its last."""
    engine = workspace.sessions.kw["bind"]
    plans: list[str] = []
    with workspace.begin() as session:
        reader_id = builders.account(session).id

    @event.listens_for(engine, "after_cursor_execute")
    def explain(connection, cursor, statement, parameters, context, executemany) -> None:
        if statement.startswith("SELECT"):
            cursor = connection.connection.cursor()
            cursor.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
            plans.extend(row[3] for row in cursor.fetchall())

    worklist.search(workspace, WorklistQuery(**fields), by=reader_id)
    worklist.place(workspace, WorklistQuery(**fields), 1, by=reader_id)
    worklist.next_unread(workspace, reader_id, WorklistQuery(**fields), 1)
    assert plans
    scanned = {plan.split()[1] for plan in plans if plan.startswith("SCAN") and "INDEX" not in plan}
    assert not {name for name in scanned if name.startswith(TABLES)}


def test_a_hundred_thousand_cases(workspace):
    n_cases = 100_000
    with workspace.begin() as session:
        reader_id = builders.account(session).id
        model = builders.model(session)
        case = builders.case(session)
        builders.prediction(session, case, model, label="class 1")
        copy_rows(session, Case, n_cases, source_sha256="printf('%064d', n)")
        copy_rows(session, Prediction, n_cases, case_id="n", answer="'class ' || (n % 50)")
    page = worklist.search(workspace, WorklistQuery(label="class 7", page=2), by=OPERATOR)
    assert (len(page.rows), page.n_total) == (50, 2000)
    assert worklist.search(workspace, WorklistQuery(text="CLASS 49"), by=OPERATOR).n_total == 2000
    (named,) = worklist.search(workspace, WorklistQuery(text="77777"), by=OPERATOR).rows
    assert named.case_id == 77_777
    last = worklist.search(workspace, WorklistQuery(page=2000), by=OPERATOR).rows[-1]
    assert last.case_id == n_cases
    assert worklist.place(workspace, WorklistQuery(), 50_000, by=OPERATOR).position == 50_000
    unread = worklist.next_unread(workspace, reader_id, WorklistQuery(), 99_999)
    assert unread == Unread(n_cases, 1)


def copy_rows(session: Session, table: type[Base], n: int, **changed: str) -> None:
    """Copy the first row of a table until there are n, each with its number as its id."""
    names = [column.name for column in table.__table__.columns]
    values = ", ".join(({"id": "n"} | changed).get(name, name) for name in names)
    numbers = "WITH RECURSIVE counted(n) AS (VALUES (2) UNION ALL SELECT n + 1 FROM counted "
    numbers += f"WHERE n < {n})"
    name = table.__tablename__
    session.execute(
        text(
            f"INSERT INTO {name} ({', '.join(names)}) {numbers} "
            f"SELECT {values} FROM counted, {name} WHERE {name}.id = 1"
        )
    )
