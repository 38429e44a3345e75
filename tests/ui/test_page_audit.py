from datetime import date

import pytest
from streamlit.testing.v1 import AppTest

from db import accesses
from db.tables import Account
from db.types import AccessKind, Role, now
from review.access import accounts, links, sessions
from review.access.accounts import AccountView
from review.audit import listing, retention
from review.audit.listing import AuditFilter
from tests import builders
from tests.builders import OPERATOR
from ui import guard


@pytest.fixture
def page(open_page, ws):
    with ws.begin() as session:
        case = builders.case(session)
        ada = builders.account(session, name="ada", display_name="Ada")
        opened = {"kind": AccessKind.CASE_OPENED, "created_at": now(), "account_id": ada.id}
        accesses.append(session, [opened | {"case_id": case.id, "address": "10.0.0.7"}])
    return open_page("audit", Role.ADMINISTRATOR)


def shown(page, column: str) -> list[str]:
    return list(page.dataframe[0].value[column])


def test_it_lists_what_was_done_with_a_link_to_the_case(page):
    assert not page.exception
    row = page.dataframe[0].value.set_index("What").loc["Case opened"]
    assert row["Who"] == "Ada"
    assert row["Case"] == "/review?case=1"
    assert row["Address"] == "10.0.0.7"
    assert "Signed in" in shown(page, "What")


def test_looking_at_it_is_on_record(page, ws):
    seen = AuditFilter(kinds=(AccessKind.AUDIT_SEEN,))
    (line,) = listing.taken_out(ws, seen, by=OPERATOR)
    assert line.who == "A. administrator"


def test_filters_narrow_it_and_an_empty_list_says_what_to_do(page):
    page.multiselect[0].select("Case opened").run()
    assert shown(page, "What") == ["Case opened"]
    page.number_input[0].set_value(2).run()
    assert not page.dataframe
    assert "widen the filters" in page.info[0].value


def test_each_filter_is_asked_for(page, monkeypatch):
    page.selectbox[0].select_index(0)
    page.text_input[0].input(" 10.0.0.7 ")
    page.date_input[0].set_value(date(2026, 1, 1))
    page.date_input[1].set_value(date(2026, 1, 2))
    page.toggle[0].set_value(True)
    page.run()
    assert not page.exception
    assert page.session_state["audit_places_of"] == AuditFilter(
        operator=True,
        address="10.0.0.7",
        since=date(2026, 1, 1),
        until=date(2026, 1, 2),
        refused=True,
    )


def test_older_pages_and_back(page, monkeypatch):
    monkeypatch.setattr(listing, "PAGE_SIZE", 2)
    page.run()
    newest = shown(page, "Details")
    older = next(button for button in page.button if button.label == "Older")
    older.click().run()
    assert shown(page, "Details") != newest
    assert "Page 2" in [caption.value for caption in page.caption]
    next(button for button in page.button if button.label == "Newer").click().run()
    assert shown(page, "Details") == newest
    assert next(button for button in page.button if button.label == "Newer").disabled


def test_it_says_how_long_accesses_are_kept(page, ws):
    assert "kept for ever" in page.caption[0].value
    retention.keep(ws, 30, by=OPERATOR)
    assert "kept for 30 days" in page.run().caption[0].value


@pytest.fixture
def holder(ws, signed_in) -> AccountView:
    """Somebody who has a password and came by a link all the same."""
    account = signed_in(Role.READER)
    with ws.begin() as session:
        session.get_one(Account, account.id).password_hash = "some hash"
    return account


@pytest.fixture
def any_page(tmp_path):
    """A page with nothing but what stands above every page."""
    script = tmp_path / "page.py"
    script.write_text(
        "from ui import guard\n"
        "from ui.panels import link_notices\n"
        "link_notices.draw(guard.require())\n"
    )
    return lambda: AppTest.from_file(str(script), default_timeout=20).run()


def test_an_account_is_told_of_a_link_until_it_says_that_it_knows(
    ws, holder, any_page, monkeypatch
):
    """The session came by the very link: only this tab is rid of the notice."""
    page = any_page()
    assert "was made by the operating system's user operator at" in page.text[0].value
    assert "from unknown" in page.text[0].value
    page.button[0].click().run()
    assert not page.text
    assert len(links.notices(ws, holder.id)) == 1
    accounts.set_password(ws, holder.id, "correct horse battery", by=OPERATOR)
    token = sessions.sign_in(ws, holder.name, "correct horse battery")
    monkeypatch.setattr(guard, "session_token", lambda: token)
    page = any_page()
    page.button[0].click().run()
    assert links.notices(ws, holder.id) == ()
    assert not any_page().text
