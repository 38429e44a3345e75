import pytest

from db.types import Exposure, Opinion, Plausibility
from review.errors import VerdictError
from review.verdicts.complete import Question, check
from review.verdicts.draft import VerdictDraft

BOX = {"x": 1.0, "y": 1.0, "width": 9.0, "height": 9.0}


def draft(opinion: Opinion = Opinion.ACCEPT, **fields) -> VerdictDraft:
    defaults = {"request_id": "r", "case_id": 1, "prediction_id": 1, "evidence_token": "t"}
    defaults["explanation_ids"] = (7, 8)
    return VerdictDraft(opinion=opinion, **(defaults | fields))


def checked(made: VerdictDraft) -> None:
    check(made, Question(("normal", "nodule"), "nodule"), width_px=64, height_px=48)


@pytest.mark.parametrize(
    ("opinion", "fields"),
    [
        (Opinion.ACCEPT, {}),
        (Opinion.ACCEPT, {"comment": "clear – \U0001fac1", "boxes": (BOX,)}),
        (Opinion.ACCEPT, {"boxes": ({"x": 0, "y": 0, "width": 64, "height": 48},)}),
        (Opinion.ACCEPT, {"plausibility": {8: Plausibility.IMPLAUSIBLE}}),
        (Opinion.MODIFY, {"corrected_label": "normal"}),
        (Opinion.MODIFY, {"comment": "left, not right"}),
        (Opinion.MODIFY, {"boxes": (BOX,)}),
        (Opinion.REJECT, {"reasons": ("wrong_finding",)}),
        (Opinion.REJECT, {"reasons": ("other",), "corrected_label": "normal"}),
        (Opinion.REJECT, {"corrected_label": "normal"}),
        (Opinion.CANNOT_ASSESS, {}),
    ],
)
def test_a_complete_verdict_passes(opinion, fields):
    checked(draft(opinion, **fields))


@pytest.mark.parametrize(
    ("opinion", "fields", "message"),
    [
        (Opinion.REJECT, {}, "at least one reason against the answer, or say what is right"),
        (Opinion.REJECT, {"corrected_label": "nodule"}, "nodule is what the model answers"),
        (Opinion.REJECT, {"reasons": ("because",)}, "unknown reason: 'because'"),
        (Opinion.MODIFY, {}, "what is modified"),
        (Opinion.MODIFY, {"comment": "  "}, "what is modified"),
        (Opinion.MODIFY, {"corrected_label": "toy poodle"}, "'toy poodle' is not a class"),
        (Opinion.ACCEPT, {"corrected_label": "nodule"}, "accept with modification"),
        (Opinion.WITHDRAWN, {}, "undoing"),
        (Opinion.ACCEPT, {"comment": "x" * 4001}, "4001 characters"),
        (Opinion.ACCEPT, {"comment": "half a pair \ud83d"}, "not text"),
        (Opinion.ACCEPT, {"comment": "\0"}, "not text"),
        (Opinion.ACCEPT, {"request_id": ""}, "0 characters; allowed are 1 or more"),
        (Opinion.ACCEPT, {"request_id": "r" * 65}, "65 characters"),
        (Opinion.ACCEPT, {"boxes": (BOX | {"x": 60.0},)}, "outside the image of 64 x 48 px"),
        (Opinion.ACCEPT, {"boxes": (BOX | {"y": -1.0},)}, "outside"),
        (Opinion.ACCEPT, {"boxes": (BOX | {"width": 0.0},)}, "outside"),
        (
            Opinion.ACCEPT,
            {"boxes": (BOX | {"height": float("nan")},)},
            "boxes has nan; allowed: finite numbers",
        ),
        (Opinion.ACCEPT, {"boxes": (BOX | {"width": float("inf")},)}, "boxes has inf"),
        (Opinion.ACCEPT, {"boxes": ({"x": 1.0, "y": 1.0},)}, "one without x, y"),
        (Opinion.ACCEPT, {"boxes": (BOX,) * 51}, "51 boxes"),
        (Opinion.ACCEPT, {"plausibility": {9: Plausibility.UNSURE}}, "on the screen"),
        (
            Opinion.ACCEPT,
            {"active_seconds": float("nan")},
            "active seconds is nan; allowed: finite",
        ),
        (Opinion.ACCEPT, {"active_seconds": -1.0}, "active seconds is -1.0; allowed: 0.0 or more"),
    ],
)
def test_an_incomplete_or_contradictory_verdict_is_refused_with_the_reason(
    opinion, fields, message
):
    with pytest.raises(VerdictError, match=message):
        checked(draft(opinion, **fields))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"prediction_id": "2"}, "prediction id is '2'; allowed: whole numbers"),
        ({"case_id": 8.0}, "case id is 8.0; allowed: whole numbers"),
        ({"case_id": 10**5000}, "case id is a huge number; allowed: "),
        ({"reasons": ("other",) * 300_000}, "300000 reasons; allowed are 7"),
        ({"boxes": (BOX | {"x": True},)}, "boxes has true; allowed: numbers"),
        ({"opinion": "maybe"}, "opinion is 'maybe'; allowed: 'accept'"),
        ({"plausibility": {"7": Plausibility.UNSURE}}, "plausibility has '7'; allowed: whole"),
        ({"explanation_ids": (7, 7)}, "explanation ids names something twice"),
        ({"mood": "tired"}, "the verdict has 'mood', which this version does not know"),
        ({"comment": b"clear"}, "comment is a bytes; allowed: text"),
    ],
)
def test_a_draft_of_other_types_is_never_made(fields, message):
    with pytest.raises(VerdictError, match=message):
        VerdictDraft(
            **{"request_id": "r", "case_id": 1, "prediction_id": 1, "opinion": "accept"}
            | {"evidence_token": "t"}
            | fields
        )


def test_a_refusal_repeats_little_of_what_came():
    for value in ("x" * 10_000, "\U0001fac1" * 10_000, "\ud83d" * 10_000, ["x"] * 10_000):
        with pytest.raises(VerdictError) as caught:
            draft(case_id=value)
        assert len(str(caught.value)) < 100


@pytest.mark.parametrize("exposure", [Exposure.IMAGE_ONLY, Exposure.PREDICTION])
def test_a_map_that_is_judged_was_seen(exposure):
    judged = draft(plausibility={7: Plausibility.UNSURE}, exposure=exposure)
    with pytest.raises(VerdictError, match="judged that was not seen"):
        checked(judged)


def test_with_maps_on_the_screen_more_than_the_image_was_seen():
    with pytest.raises(VerdictError, match="maps were on the screen"):
        checked(draft(exposure=Exposure.IMAGE_ONLY))
    checked(draft(exposure=Exposure.PREDICTION))
    checked(draft(exposure=Exposure.IMAGE_ONLY, explanation_ids=()))


UNSOUND = {"reasoning": "unsound"}


@pytest.mark.parametrize(
    ("opinion", "fields"),
    [
        (Opinion.ACCEPT, UNSOUND | {"reasons": ("looks_at_marker",)}),
        (Opinion.ACCEPT, UNSOUND | {"comment": "it reads the letters"}),
        (Opinion.ACCEPT, UNSOUND | {"plausibility": {7: Plausibility.IMPLAUSIBLE}}),
        (Opinion.ACCEPT, {"reasoning": "sound"}),
        (Opinion.ACCEPT, {"reasoning": "unsure"}),
        (Opinion.REJECT, UNSOUND | {"reasons": ("wrong_finding", "wrong_place")}),
        (Opinion.CANNOT_ASSESS, {"reasons": ("image_quality",)}),
    ],
)
def test_the_reasoning_is_judged_apart_from_the_answer(opinion, fields):
    checked(draft(opinion, **fields))


@pytest.mark.parametrize(
    ("opinion", "fields", "message"),
    [
        (Opinion.ACCEPT, UNSOUND, "say why the reasoning is unsound"),
        (Opinion.ACCEPT, UNSOUND | {"plausibility": {7: Plausibility.UNSURE}}, "say why"),
        (Opinion.ACCEPT, UNSOUND | {"reasons": ("image_quality",)}, "say why the reasoning"),
        (Opinion.ACCEPT, {"reasons": ("wrong_place",)}, "'Wrong place' speaks against the reason"),
        (Opinion.ACCEPT, {"reasoning": "sound", "reasons": ("wrong_place",)}, "call it unsound"),
        (Opinion.ACCEPT, {"reasons": ("wrong_finding",)}, "the reason says 'Wrong finding'"),
        (Opinion.REJECT, UNSOUND | {"reasons": ("wrong_place",)}, "reason against the answer"),
        (Opinion.CANNOT_ASSESS, {"corrected_label": "normal"}, "take them back"),
        (
            Opinion.ACCEPT,
            {"reasoning": "sound", "exposure": "prediction", "explanation_ids": ()},
            "the reasoning was judged, yet no map was seen",
        ),
        (Opinion.MODIFY, {"findings": {"normal": "present"}}, "exactly one class of this model"),
        (Opinion.ACCEPT, {"reasoning": "good"}, "reasoning is 'good'; allowed: 'sound'"),
        (Opinion.ACCEPT, {"findings": {7: "present"}}, "findings has 7; allowed: text"),
        (
            Opinion.ACCEPT,
            {"findings": {f"finding {number}": "absent" for number in range(1001)}},
            "1001 findings; allowed are 1000",
        ),
    ],
)
def test_a_reason_and_what_it_speaks_of_belong_together(opinion, fields, message):
    with pytest.raises(VerdictError, match=message):
        checked(draft(opinion, **fields))
