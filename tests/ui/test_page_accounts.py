import re

from db.types import Role
from review.access import accounts, sessions
from tests.builders import OPERATOR


def select(page, row):
    page.session_state["accounts"] = {"selection": {"rows": [row], "columns": [], "cells": []}}
    return page.run()


def test_an_account_is_added_and_its_link_is_shown_once(open_page, ws):
    page = open_page("accounts", Role.ADMINISTRATOR)
    page.text_input[0].input("M.Curie")
    page.text_input[1].input("Marie Curie")
    page.selectbox[0].select(Role.ENGINEER)
    page.button[0].click().run()
    assert not page.exception
    added = accounts.account_named(ws, "m.curie", by=OPERATOR)
    assert (added.display_name, added.role) == ("Marie Curie", Role.ENGINEER)
    token = re.search(r"/sign-in/link\?token=(\S+)", page.code[0].value)
    assert token
    assert sessions.account_of(ws, sessions.redeem_link(ws, token[1])) == added
    assert not page.run().code


def test_a_taken_name_is_said(open_page, ws):
    accounts.create_account(ws, "ada", role=Role.READER, by=OPERATOR)
    page = open_page("accounts", Role.ADMINISTRATOR)
    page.text_input[0].input("ada")
    page.button[0].click().run()
    assert "taken" in page.error[0].value


def test_a_selected_account_changes_its_role(open_page, ws):
    accounts.create_account(ws, "zoe", role=Role.READER, by=OPERATOR)
    page = select(open_page("accounts", Role.ADMINISTRATOR), 1)
    page.selectbox[0].select(Role.ENGINEER).run()
    assert accounts.account_named(ws, "zoe", by=OPERATOR).role == Role.ENGINEER


def test_a_selected_account_is_closed_and_opened_again(open_page, ws):
    accounts.create_account(ws, "zoe", role=Role.READER, by=OPERATOR)
    page = select(open_page("accounts", Role.ADMINISTRATOR), 1)
    page.button[-1].click().run()
    assert not accounts.account_named(ws, "zoe", by=OPERATOR).active
    assert [button.label for button in page.button] == ["Activate"]
    page.button[0].click().run()
    assert accounts.account_named(ws, "zoe", by=OPERATOR).active


def test_a_password_is_reset_to_a_link(open_page, ws):
    accounts.create_account(
        ws, "zoe", role=Role.READER, password="correct horse battery", by=OPERATOR
    )
    page = select(open_page("accounts", Role.ADMINISTRATOR), 1)
    next(button for button in page.button if button.label == "Reset password").click().run()
    assert not accounts.account_named(ws, "zoe", by=OPERATOR).has_password
    assert "/sign-in/link?token=" in page.code[0].value


def test_an_account_is_signed_out_everywhere(open_page, ws):
    zoe = accounts.create_account(ws, "zoe", role=Role.READER, by=OPERATOR)
    token = sessions.redeem_link(ws, accounts.issue_link(ws, zoe.id, by=OPERATOR))
    page = select(open_page("accounts", Role.ADMINISTRATOR), 1)
    next(button for button in page.button if button.label == "End sessions").click().run()
    assert sessions.account_of(ws, token) is None


def test_the_only_administrator_cannot_be_closed(open_page, ws):
    page = select(open_page("accounts", Role.ADMINISTRATOR), 0)
    page.button[-1].click().run()
    assert "only administrator" in page.error[0].value
    assert accounts.list_accounts(ws, by=OPERATOR)[0].active


def test_a_demo_reader_is_left_alone(open_page, ws):
    accounts.create_account(ws, "zoe", role=Role.READER, demo=True, by=OPERATOR)
    page = select(open_page("accounts", Role.ADMINISTRATOR), 1)
    assert not page.button


def test_a_first_password_is_chosen(open_page, ws):
    page = open_page("account", Role.READER)
    for field in page.text_input:
        field.input("correct horse battery")
    page.button[0].click().run()
    assert "Saved" in page.success[0].value
    assert accounts.list_accounts(ws, by=OPERATOR)[0].has_password


def test_two_different_new_passwords_are_refused(open_page, ws):
    page = open_page("account", Role.READER)
    page.text_input[0].input("correct horse battery")
    page.text_input[1].input("correct horse batterie")
    page.button[0].click().run()
    assert "differ" in page.error[0].value
    assert not accounts.list_accounts(ws, by=OPERATOR)[0].has_password
