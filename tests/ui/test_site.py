"""What the browser is told of the server's rules, so that it has none of its own."""

import pytest

from db.types import Call, Opinion, Plausibility, Reasoning
from review.access.accounts import MAX_NAME
from review.access.passwords import MAX_CHARACTERS
from review.errors import VerdictError
from review.state.reasons import Of
from review.verdicts.complete import Question, check
from review.verdicts.draft import VerdictDraft
from ui.http import sign_in_page
from ui.viewer.component import SITE

OPINIONS = [each for each in Opinion if each is not Opinion.WITHDRAWN]


def is_complete(**said) -> bool:
    draft = VerdictDraft("signed", 1, 1, evidence_token="token", **said)
    try:
        check(draft, Question(("cat",), "cat"), width_px=8, height_px=8)
    except VerdictError:
        return False
    return True


@pytest.mark.parametrize("opinion", OPINIONS)
def test_an_empty_draft_is_refused_where_the_browser_is_told_of_a_need(opinion):
    assert is_complete(opinion=opinion) is (opinion not in SITE["needs"])


@pytest.mark.parametrize("reason", SITE["reasons"], ids=lambda reason: reason["key"])
def test_a_reason_rejects_the_answer_or_the_reasoning_as_the_browser_is_told(reason):
    reasons, unsound = (reason["key"],), Reasoning.UNSOUND
    assert is_complete(opinion="reject", reasons=reasons) is (reason["of"] == Of.ANSWER)
    of_reasoning = reason["of"] == Of.REASONING
    assert is_complete(opinion="accept", reasons=reasons, reasoning=unsound) is of_reasoning


def test_every_judgement_has_a_button():
    assert [each["key"] for each in SITE["plausibility"]] == list(Plausibility)
    assert list(SITE["reasonings"]) == list(Reasoning)
    assert list(SITE["calls"]) == list(Call)


def test_the_sign_in_form_takes_as_many_characters_as_the_server_does():
    form = sign_in_page.form()
    assert f'maxlength="{MAX_NAME}"' in form
    assert f'maxlength="{MAX_CHARACTERS}"' in form
