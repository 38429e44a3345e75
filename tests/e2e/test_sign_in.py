import pytest
from playwright.sync_api import expect

from db.types import Role
from review.access import accounts
from tests.builders import OPERATOR
from tests.e2e.conftest import enter

pytestmark = pytest.mark.e2e
PASSWORD = "correct horse battery"


def test_the_printed_link_opens_the_worklist_with_the_keyboard_alone(new_page, server):
    page = enter(new_page(), server.link)
    expect(page).to_have_url(f"{server.url}/")
    expect(page.get_by_test_id("stTopNavLink").first).to_have_text("Worklist")


def test_a_deep_link_shows_nothing_before_and_is_reached_after_signing_in(new_page, server):
    accounts.create_account(server.ws, "ada", role=Role.READER, password=PASSWORD, by=OPERATOR)
    page = new_page()
    page.goto("/help")
    expect(page.locator("body")).not_to_contain_text("heatmap")
    expect(page.get_by_label("Name")).to_be_focused()
    page.keyboard.type("ada")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{server.url}/help")
    expect(page.get_by_test_id("stMain")).to_contain_text("heatmap")


def test_signing_out_closes_the_way_back(open_as):
    page = open_as(Role.READER)
    page.get_by_test_id("stTopNavSection").filter(has_text="Reader").click()
    page.get_by_text("Sign out").click()
    expect(page.get_by_role("alert")).to_have_text("You are signed out.")
    page.go_back()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()


def test_a_page_leaves_the_screen_when_its_session_ends_elsewhere(open_as, server):
    page = open_as(Role.READER)
    page.goto("/help")
    page.get_by_test_id("stTopNav").wait_for()
    page.locator(".line-banner").wait_for(state="attached")  # the last script to be loaded
    account = accounts.list_accounts(server.ws, by=OPERATOR)[-1]
    accounts.deactivate(server.ws, account.id, by=OPERATOR)
    page.evaluate("window.dispatchEvent(new Event('focus'))")
    expect(page.get_by_role("alert")).to_contain_text("Your session has ended")


@pytest.mark.parametrize("name", ["triage", "export", "models", "accounts"])
def test_a_reader_is_told_which_pages_are_not_theirs(open_as, name):
    page = open_as(Role.READER)
    expect(page.get_by_test_id("stTopNav")).not_to_contain_text(name.capitalize())
    page.goto(f"/{name}")
    expect(page.get_by_text("This page is not open to you")).to_be_visible()
