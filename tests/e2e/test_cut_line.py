"""The review page while the line to the server is cut: no verdict by accident, nothing lost."""

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import OPEN_MS
from tests.e2e.drills import (
    AFTER,
    BEFORE,
    OFFLINE,
    RECONNECT_MS,
    banner,
    case_id,
    cases,
    cut,
    desk,
    is_unsigned,
    line,
    mend,
    page,
    reader_id,
    server,
    signs_once,
)

__all__ = ["case_id", "cases", "desk", "line", "page", "reader_id", "server"]  # fixtures
pytestmark = pytest.mark.e2e

DURING = "a vessel"
CARET = "area => [area.selectionStart, area.selectionEnd]"


def test_a_cut_line_is_said_quietly_and_typing_goes_on_where_it_was(page, line, server, case_id):
    cut(page, line)
    expect(banner(page).get_by_role("status").first).to_have_text(OFFLINE)
    expect(page.get_by_role("dialog")).to_have_count(0)
    comment = page.get_by_label("Comment")
    expect(comment).to_be_focused()
    page.keyboard.type(DURING)
    is_unsigned(page, server, case_id, BEFORE + DURING)

    page.keyboard.press("Escape")
    expect(comment).not_to_be_focused()
    comment.focus()
    mend(page, line)
    expect(banner(page)).to_be_hidden()
    expect(comment).to_be_focused()
    assert comment.evaluate(CARET) == [len(BEFORE + DURING)] * 2
    page.keyboard.type(AFTER)
    signs_once(page, server, case_id, BEFORE + DURING + AFTER)


TROUBLE = "window.postMessage({ type: 'CLIENT_ERROR_DIALOG', error: 'Trouble', message: 'It is.' })"
COVERS = """([banner, said]) => {
  const [over, under] = [banner, said].map(element => element.getBoundingClientRect());
  return over.bottom > under.top && under.bottom > over.top
    && over.right > under.left && under.right > over.left;
}"""


def test_what_is_said_of_the_line_covers_nothing_that_is_said_of_the_verdict(page):
    page.set_viewport_size({"width": 1366, "height": 768})
    page.evaluate(TROUBLE)
    expect(banner(page)).to_contain_text("Trouble. It is.")
    page.keyboard.press("Control+Enter")
    said = page.locator(".toast")
    expect(said).to_contain_text("Reject")
    assert not page.evaluate(COVERS, [banner(page).element_handle(), said.element_handle()])


def test_no_key_and_no_click_signs_without_a_line_and_that_is_said(page, line, server, case_id):
    cut(page, line)
    page.keyboard.press("Control+Enter")
    said = "Offline. Nothing was signed. Nothing is lost; trying again."
    expect(banner(page).get_by_role("status").first).to_have_text(said)
    page.get_by_label("Comment").blur()
    for key in ("a", "u", "Enter"):
        page.keyboard.press(key)
    expect(page.get_by_role("button", name="Sign Enter")).to_be_disabled()
    is_unsigned(page, server, case_id, BEFORE)

    mend(page, line)
    expect(page.get_by_role("button", name="Sign Enter")).to_be_enabled()
    is_unsigned(page, server, case_id, BEFORE)
    signs_once(page, server, case_id, BEFORE)


def test_a_half_typed_verdict_outlives_a_cut_line_and_a_reload(page, line, server, case_id):
    cut(page, line)
    page.keyboard.type(DURING)
    line.mend()
    page.reload()
    is_unsigned(page, server, case_id, BEFORE + DURING)
    page.keyboard.press("t")
    page.keyboard.type(AFTER)
    signs_once(page, server, case_id, BEFORE + DURING + AFTER)


@pytest.mark.parametrize("name", ["", "upload", "help", "account"])
def test_every_page_says_that_the_line_is_cut(desk, line, reader_id, name):
    page = desk.browser(reader_id).new_page()
    page.goto(f"/{name}")
    page.get_by_test_id("stTopNav").wait_for(timeout=OPEN_MS)
    expect(banner(page)).to_be_attached()
    line.cut()
    said = banner(page).get_by_role("status").first
    expect(said).to_have_text("Offline. Trying again.", timeout=RECONNECT_MS)
    expect(page.get_by_role("dialog")).to_have_count(0)
    mend(page, line)
