"""The triggers by which the database itself refuses to change what people did.

Migrations make them from here and `db.standing` expects them so: what was released is never edited.
"""

# Append-only tables, with the columns that identify a row.
TABLES = {
    "verdicts": ("id", "request_id", "supersedes_id", "previous_sha256", "row_sha256"),
    "triage_events": ("id",),
    "audit_events": ("id", "previous_sha256", "row_sha256"),
    "accesses": ("id", "previous_sha256", "row_sha256"),
    "text_events": ("id",),
}
# Tables whose oldest rows may be deleted as far as the `n_rows` of a setting, the horizon.
ACCESS_HORIZON = "access_horizon"
HORIZONS = {"accesses": ACCESS_HORIZON}
ACTIONS = ("UPDATE", "DELETE")


def sqlite_triggers(table: str) -> dict[str, str]:
    """Return the statements that make UPDATE, DELETE and INSERT OR REPLACE fail, by trigger.

    REPLACE deletes the old row without firing DELETE triggers (sqlite.org/lang_conflict.html).
    """
    refuse = f"BEGIN SELECT RAISE(ABORT, '{table} are append-only'); END"
    taken = " OR ".join(f"{key} = NEW.{key}" for key in TABLES[table])
    replaces = f"EXISTS (SELECT 1 FROM {table} WHERE {taken})"  # noqa: S608 - constants
    beyond = {"DELETE": _beyond_horizon(table, "json_extract(value, '$.n_rows')")}
    made = {
        f"{table}_no_{action.lower()}": f"CREATE TRIGGER {table}_no_{action.lower()} "
        f"BEFORE {action} ON {table} {beyond.get(action, '')}{refuse}"
        for action in ACTIONS
    }
    name = f"{table}_no_replace"
    return made | {name: f"CREATE TRIGGER {name} BEFORE INSERT ON {table} WHEN {replaces} {refuse}"}


def _beyond_horizon(table: str, n_rows: str) -> str:
    """Return the condition under which a row may not be deleted; nothing where none may."""
    if table not in HORIZONS:
        return ""
    horizon = f"SELECT {n_rows} FROM settings WHERE key = '{HORIZONS[table]}'"  # noqa: S608
    return f"WHEN (OLD.id > COALESCE(({horizon}), 0)) "


def postgresql_body(table: str) -> str:
    """Return the body of the function that the table's triggers run."""
    refuse = f"RAISE EXCEPTION '{table} are append-only';"
    beyond = _beyond_horizon(table, "(value ->> 'n_rows')::bigint")
    if not beyond:
        return f" BEGIN {refuse} END "
    # Only a DELETE has an old row.
    may_go = f"IF TG_OP = 'DELETE' THEN IF NOT {beyond.removeprefix('WHEN ')}"
    return f" BEGIN {may_go}THEN RETURN OLD; END IF; END IF; {refuse} END "


def postgresql_triggers(table: str) -> dict[str, tuple[str, str]]:
    """Return each trigger's action (TRUNCATE too) and level, by name."""
    levels = {action: "ROW" for action in ACTIONS} | {"TRUNCATE": "STATEMENT"}
    return {f"{table}_no_{action.lower()}": (action, level) for action, level in levels.items()}


def statements(table: str, dialect: str) -> list[str]:
    """Return what makes a table append-only on a kind of database."""
    if dialect == "sqlite":
        return list(sqlite_triggers(table).values())
    function = (
        f"CREATE FUNCTION {table}_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        f"$${postgresql_body(table)}$$"
    )
    return [function] + [
        f"CREATE TRIGGER {name} BEFORE {action} ON {table} "
        f"FOR EACH {level} EXECUTE FUNCTION {table}_append_only()"
        for name, (action, level) in postgresql_triggers(table).items()
    ]
