"""The audit as a list: newest first, filtered, a page at a time, in words."""

from datetime import UTC, date, datetime, timedelta

import pytest

from db import accesses
from db.tables import Case
from db.types import AccessKind, AuditKind, Role, TextStep
from review.access import accounts
from review.audit import listing
from review.audit.listing import KINDS, AuditFilter, Cursor
from review.audit.telling import KIND_NAMES
from review.burnt_in.noticing import add_event
from review.triage import queue
from review.whence import Whence, coming_from
from tests import builders
from tests.builders import OPERATOR

MOMENT = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def people(each_workspace) -> dict[str, int]:
    with each_workspace.begin() as session:
        for _ in range(2):
            builders.case(session)
        made = {
            name: builders.account(session, name=name, display_name=name.title()).id
            for name in ("ada", "ben")
        }
        made["root"] = builders.account(
            session, Role.ADMINISTRATOR, name="root", display_name="Root"
        ).id
        return made


def tell(ws, *rows: dict) -> None:
    with ws.begin() as session:
        told = [{"kind": AccessKind.CASE_OPENED, "created_at": MOMENT} | row for row in rows]
        accesses.append(session, told)


def lines(ws, wanted: AuditFilter | None = None):
    return list(listing.taken_out(ws, wanted or AuditFilter(), by=OPERATOR))


def whats(ws, wanted: AuditFilter) -> list[str]:
    return [line.what for line in lines(ws, wanted)]


def test_the_newest_comes_first_of_both_sources(each_workspace, people):
    tell(each_workspace, {"created_at": MOMENT}, {"created_at": MOMENT + timedelta(days=900)})
    found = lines(each_workspace)
    # Nearer to now than to either: the accounts that were just added.
    assert [line.what for line in found if "opened" in line.what] == ["Case opened"] * 2
    assert found[-1].at == MOMENT
    assert [line.at for line in found] == sorted((line.at for line in found), reverse=True)
    assert {"Account added", "Setting changed"} <= {line.what for line in found}


def test_pages_follow_each_other_without_gap_or_repetition(each_workspace, people, monkeypatch):
    monkeypatch.setattr(listing, "PAGE_SIZE", 3)
    monkeypatch.setattr(listing, "BATCH", 4)
    tell(each_workspace, *({"content": {"n": number}} for number in range(8)))  # of one moment
    whole = lines(each_workspace)
    seen, before = [], None
    while True:
        page = listing.page(each_workspace, AuditFilter(), by=OPERATOR, before=before)
        seen += page.lines
        before = page.older
        if before is None:
            break
        before = Cursor.parse(str(before))
    # Looking is told, too, once: it came after what was taken out before.
    assert [line for line in seen if line not in whole] == []
    assert len(seen) == len(whole)


@pytest.mark.parametrize(
    "text", ["", "x", "x~0~1", "2026-01-01~0~1", "2026-01-01T00:00:00+00:00~7~1"]
)
def test_a_place_that_makes_no_sense_is_none(text):
    assert Cursor.parse(text) is None


def test_each_filter(each_workspace, people):
    ws = each_workspace
    tell(
        ws,
        {"account_id": people["ada"], "case_id": 1, "address": "10.0.0.1"},
        {"account_id": people["ben"], "case_id": 2, "address": "10.0.0.2"},
        {"kind": AccessKind.REFUSED, "account_id": people["ben"]},
        {"kind": AccessKind.SIGN_IN_FAILED, "created_at": MOMENT + timedelta(days=1)},
        {"kind": AccessKind.COMMAND_RUN, "content": {"by": str(OPERATOR), "command": "verify"}},
    )
    assert whats(ws, AuditFilter(account_id=people["ada"])) == ["Case opened"]
    assert whats(ws, AuditFilter(case_id=2)) == ["Case opened"]
    assert whats(ws, AuditFilter(address="10.0.0.1")) == ["Case opened"]
    assert whats(ws, AuditFilter(refused=True)) == ["Signing in failed", "Refused"]
    assert "Command run" in whats(ws, AuditFilter(operator=True))
    kinds = (AccessKind.REFUSED, AuditKind.ACCOUNT_ADDED)
    assert set(whats(ws, AuditFilter(kinds=kinds))) == {"Refused", "Account added"}
    day = MOMENT.date()
    assert len(lines(ws, AuditFilter(since=day, until=day))) == 4
    assert whats(ws, AuditFilter(since=date(2026, 3, 2), until=date(2026, 3, 2))) == [
        "Signing in failed"
    ]
    both = AuditFilter(account_id=people["ben"], refused=True)
    assert whats(ws, both) == ["Refused"]


def test_changes_are_found_by_who_made_them_and_from_where(each_workspace, people):
    with coming_from(Whence("ab" * 32, "10.0.0.9")):
        accounts.set_role(each_workspace, people["ada"], Role.ENGINEER, by=people["root"])
    for wanted in (AuditFilter(account_id=people["root"]), AuditFilter(address="10.0.0.9")):
        (line,) = lines(each_workspace, wanted)
        assert (line.who, line.what) == ("Root", "Account changed")
        assert line.details == "ada, role engineer"
        assert (line.address, line.session) == ("10.0.0.9", "ab" * 6)


def test_a_triage_step_is_found_by_its_case(each_workspace, people):
    with each_workspace.begin() as session:
        grace = builders.account(session, Role.ENGINEER).id
    queue.comment(each_workspace, 2, actor_id=grace, text="the marker of Mr Doe")
    (line,) = lines(each_workspace, AuditFilter(case_id=2))
    assert (line.what, line.details, line.case_id) == ("Triage step", "Commented", 2)


def test_a_step_with_text_in_a_picture_is_found_by_its_case(each_workspace, people):
    with each_workspace.begin() as session:
        case = session.get_one(Case, 2)
        add_event(session, case, TextStep.HELD, actor_id=None)
        masks = [[0, 0, 9, 9], [9, 9, 9, 9]]
        add_event(session, case, TextStep.MASKED, actor_id=people["root"], masks=masks)
    masked, held = lines(each_workspace, AuditFilter(case_id=2))
    assert (masked.who, masked.details, masked.case_id) == (
        "Root",
        "Masked, 2 parts of the picture",
        2,
    )
    assert (held.who, held.details) == ("The site itself", "Held back")


def test_a_filter_comes_back_from_an_address(people):
    wanted = AuditFilter(
        account_id=3,
        operator=True,
        kinds=(AccessKind.REFUSED, AuditKind.EXPORTED),
        case_id=17,
        address="10.0.0.7",
        since=date(2026, 1, 1),
        until=date(2026, 1, 2),
        refused=True,
    )
    assert AuditFilter.from_params(wanted.to_params()) == wanted
    assert AuditFilter().to_params() == {}


def test_what_makes_no_sense_in_an_address_is_left_out():
    given = {"account": "x", "case": "9" * 40, "since": "yesterday", "kind": "nonsense,,"}
    assert AuditFilter.from_params(given) == AuditFilter()


def test_looking_and_taking_out_are_on_record(each_workspace, people):
    listing.page(each_workspace, AuditFilter(), by=people["root"])
    listing.taken_out(each_workspace, AuditFilter(), by=people["root"])  # before the first line
    found = lines(each_workspace, AuditFilter(account_id=people["root"]))
    assert [line.what for line in found] == ["Audit downloaded", "Audit looked at"]


def test_every_kind_has_words():
    assert set(KIND_NAMES) == set(KINDS)
    assert len(set(KIND_NAMES.values())) == len(KINDS)


@pytest.mark.parametrize(
    ("row", "who", "details"),
    [
        (
            {"kind": AccessKind.SIGN_IN_FAILED, "content": {"way": "password", "name": "unknown"}},
            "Somebody unknown",
            "by password, the name is unknown",
        ),
        (
            {"kind": AccessKind.SIGN_IN_FAILED, "account_id": 1, "content": {"way": "password"}},
            "Somebody, as Ada",
            "by password",
        ),
        (
            {
                "kind": AccessKind.SIGNED_IN,
                "account_id": 1,
                "content": {"way": "link", "by_link_of": {"account_id": 3, "name": "root"}},
            },
            "Ada",
            "by link, made by root",
        ),
        (
            {
                "kind": AccessKind.SESSION_ENDED,
                "account_id": 3,
                "content": {"of_account": 1, "of_session": "ab", "why": "the account was closed"},
            },
            "Root",
            "the account was closed, session ab of Ada",
        ),
        (
            {
                "kind": AccessKind.MAP_FETCHED,
                "account_id": 1,
                "content": {"explanation": 5, "method": "occlusion"},
            },
            "Ada",
            "map 5, Occlusion",
        ),
        (
            {"kind": AccessKind.REFUSED, "account_id": 1, "content": {"action": "manage accounts"}},
            "Ada",
            "may not manage accounts",
        ),
        (
            {
                "kind": AccessKind.COMMAND_RUN,
                "account_id": 1,
                "content": {"command": "export", "by": str(OPERATOR)},
            },
            "Ada",
            f"export, by {OPERATOR}",
        ),
    ],
)
def test_an_access_in_words(each_workspace, people, row, who, details):
    tell(each_workspace, row)
    line = lines(each_workspace)[-1]
    assert (line.who, line.details) == (who, details)
