from pathlib import Path

import pytest

from db.types import Role
from review.access import accounts
from review.policy import roles
from tests.builders import OPERATOR
from ui import navigation
from ui.navigation import OWN, WORK

ENTRIES = {entry.name: entry for entry in WORK + OWN}
PAGES = sorted(path.stem for path in navigation.PAGES.glob("*.py") if path.stem != "__init__")


def test_every_page_is_in_the_menu():
    assert sorted(ENTRIES) == PAGES


@pytest.mark.parametrize("name", PAGES)
def test_a_page_guards_itself_before_anything_else(name):
    lines = Path(navigation.PAGES / f"{name}.py").read_text().splitlines()
    first = next(line for line in lines if "st." in line or "guard." in line)
    assert "guard.require(" in first


@pytest.mark.parametrize("name", PAGES)
def test_nobody_sees_nothing_but_the_way_to_sign_in(open_page, name):
    page = open_page(name, None, case=3, model=2)
    assert not page.exception
    assert [heading.value for heading in page.subheader] == ["Sign in to go on"]
    drawn = [page.title, page.header, page.markdown, page.dataframe, page.button, page.text_input]
    assert not any(len(elements) for elements in drawn)


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("role", list(Role))
def test_a_page_opens_to_the_roles_of_its_menu_entry_alone(open_page, name, role):
    page = open_page(name, role)
    assert not page.exception
    refused = "This page is not open to you" in [heading.value for heading in page.subheader]
    action = ENTRIES[name].action
    assert refused == (action is not None and role not in roles(action))


def test_a_session_that_ends_is_noticed_on_the_next_run(open_page, ws):
    page = open_page("account", Role.READER)
    accounts.deactivate(ws, accounts.list_accounts(ws, by=OPERATOR)[0].id, by=OPERATOR)
    page.run()
    assert [heading.value for heading in page.subheader] == ["Sign in to go on"]


def test_the_next_account_in_a_tab_inherits_nothing(open_page, signed_in):
    page = open_page("account", Role.READER)
    page.session_state["draft"] = "of the reader"
    assert "draft" in page.run().session_state
    signed_in(Role.ENGINEER)
    assert "draft" not in page.run().session_state
