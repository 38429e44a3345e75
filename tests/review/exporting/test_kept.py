import asyncio
import os
from datetime import timedelta

import pytest
from sqlalchemy import select

from db.errors import NotFoundError
from db.tables import AuditEvent
from db.types import AuditKind, Role, now
from review.access import accounts
from review.cli import parser
from review.errors import AccessError, ReviewError, SettingsError
from review.exporting import kept
from review.settings import DATABASE_VARIABLE
from review.verdicts.verify import verify
from review.whence import Whence, coming_from
from review.workspace import Workspace
from tests.builders import OPERATOR


@pytest.fixture
def exports(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A home with exports of today, of nine days ago and of thirty; and another file."""
    monkeypatch.delenv(DATABASE_VARIABLE, raising=False)
    for export_id, days in ((1, 30), (2, 9), (3, 0)):
        path = kept.path_of(workspace, export_id)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(bytes(1000 * export_id))
        at = (now() - timedelta(days=days)).timestamp()
        os.utime(path, (at, at))
    (path.parent / "second-look-export-x.zip").touch()
    (path.parent / ".export-1").mkdir()
    return workspace


def there(ws: Workspace) -> list[int]:
    return [each.id for each in kept.kept(ws, by=OPERATOR)]


def removals(ws: Workspace) -> list[AuditEvent]:
    with ws.read() as session:
        of_kind = AuditEvent.kind == AuditKind.EXPORT_REMOVED
        return list(session.scalars(select(AuditEvent).where(of_kind).order_by(AuditEvent.id)))


def test_exports_are_listed_with_their_sizes_the_oldest_first(exports):
    assert [(each.id, each.n_bytes) for each in kept.kept(exports, by=OPERATOR)] == [
        (1, 1000),
        (2, 2000),
        (3, 3000),
    ]


def test_an_export_is_removed_and_the_chain_tells_by_whom(exports):
    ada = accounts.create_account(exports, "ada", role=Role.ENGINEER, by=OPERATOR)
    with coming_from(Whence("ab" * 32, "10.0.0.7")):
        kept.remove(exports, 2, by=ada.id)
    kept.remove(exports, 3, by=OPERATOR)
    assert there(exports) == [1]
    first, second = removals(exports)
    assert (first.actor_id, first.subject_id) == (ada.id, "2")
    where = {"session": "ab" * 6, "address": "10.0.0.7"}
    assert first.content == {"state": {"n_bytes": 2000}} | where
    assert (second.actor_id, second.content["by"]) == (None, str(OPERATOR))
    assert verify(exports, by=OPERATOR).problems == ()


def test_what_is_not_there_is_said_and_not_told(exports):
    with pytest.raises(NotFoundError, match="no file of an export 7"):
        kept.remove(exports, 7, by=OPERATOR)
    assert removals(exports) == []


def test_what_cannot_be_removed_is_not_told_as_removed(exports):
    path = kept.path_of(exports, 1)
    path.unlink()
    path.mkdir()
    with pytest.raises(ReviewError, match="export 1 cannot be removed"):
        kept.remove(exports, 1, by=OPERATOR)
    assert removals(exports) == []


def test_a_reader_removes_nothing(exports):
    ada = accounts.create_account(exports, "ada", role=Role.READER, by=OPERATOR)
    for refused in (
        lambda: kept.remove(exports, 1, by=ada.id),
        lambda: kept.remove_older(exports, 1, by=ada.id),
        lambda: kept.kept(exports, by=ada.id),
    ):
        with pytest.raises(AccessError, match="may not export"):
            refused()
    assert there(exports) == [1, 2, 3]


def test_those_older_than_the_site_keeps_them_go(exports):
    assert [each.id for each in kept.remove_older(exports, 10, by=OPERATOR)] == [1]
    assert there(exports) == [2, 3]
    assert kept.remove_older(exports, 10, by=OPERATOR) == ()


def test_the_server_removes_them_by_itself(exports):
    import app

    async def first_round() -> None:
        tidying = asyncio.create_task(app._tidy(exports, 8, by=OPERATOR))
        while len(there(exports)) > 1:
            await asyncio.sleep(0)
        tidying.cancel()

    asyncio.run(first_round())
    assert there(exports) == [3]


@pytest.mark.parametrize(("value", "days"), [("", None), ("30", 30)])
def test_how_long_a_site_keeps_exports_is_a_setting(monkeypatch, value, days):
    monkeypatch.setenv(kept.DAYS_VARIABLE, value)
    assert kept.days_kept() == days


@pytest.mark.parametrize("value", ["0", "-1", "a month"])
def test_a_time_that_is_none_is_refused(monkeypatch, value):
    monkeypatch.setenv(kept.DAYS_VARIABLE, value)
    with pytest.raises(SettingsError, match="allowed are 1 to 36500"):
        kept.days_kept()


def test_the_command_line_lists_and_removes(exports, capsys):
    command = ["--home", str(exports.settings.home), "exports"]
    assert parser.main([*command, "list"]) == 0
    assert "3 exports, 0.0 MB" in capsys.readouterr().out
    assert parser.main([*command, "remove", "1", "3"]) == 0
    assert "removed export 3" in capsys.readouterr().out
    assert parser.main([*command, "remove", "--older-than", "8"]) == 0
    assert there(exports) == []
    assert parser.main([*command, "remove", "9"]) == 1
    with pytest.raises(SystemExit):
        parser.main([*command, "remove"])
