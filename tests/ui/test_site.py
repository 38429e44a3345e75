"""What the browser is told of the server's rules, so that it has none of its own."""

import pytest

from db.types import Opinion, Plausibility
from review.access.accounts import MAX_NAME
from review.access.passwords import MAX_CHARACTERS
from review.errors import VerdictError
from review.verdicts.draft import VerdictDraft, check
from ui.http import sign_in_page
from ui.viewer.component import SITE


@pytest.mark.parametrize("opinion", [each for each in Opinion if each is not Opinion.WITHDRAWN])
def test_an_empty_draft_is_refused_where_the_browser_is_told_of_a_need(opinion):
    draft = VerdictDraft("signed", 1, 1, opinion, "token")
    if opinion not in SITE["needs"]:
        check(draft, classes=["cat"], width_px=8, height_px=8)
        return
    with pytest.raises(VerdictError):
        check(draft, classes=["cat"], width_px=8, height_px=8)


def test_every_judgement_of_a_map_has_a_button():
    assert [each["key"] for each in SITE["plausibility"]] == list(Plausibility)


def test_the_sign_in_form_takes_as_many_characters_as_the_server_does():
    form = sign_in_page.form()
    assert f'maxlength="{MAX_NAME}"' in form
    assert f'maxlength="{MAX_CHARACTERS}"' in form
