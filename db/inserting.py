"""Inserting a row that another transaction may be inserting at the same moment."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from db.audit import SUBJECTS, record_added
from db.tables import Base


def insert_if_new(session: Session, table: type[Base], row: Mapping[str, Any]) -> None:
    """Insert a row, or leave the one that has the same key as it is."""
    on_postgresql = session.get_bind().dialect.name == "postgresql"
    insert = postgresql.insert(table) if on_postgresql else sqlite.insert(table)
    statement = insert.values(dict(row)).on_conflict_do_nothing()
    made = session.execute(statement.returning(*table.__mapper__.primary_key)).first()
    if made is not None and table.__tablename__ in SUBJECTS:
        record_added(session, table.__tablename__, made[0])
