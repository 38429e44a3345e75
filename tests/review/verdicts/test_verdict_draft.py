import pytest

from db.types import Opinion, Plausibility
from review.errors import VerdictError
from review.verdicts.draft import VerdictDraft, check

BOX = {"x": 1.0, "y": 1.0, "width": 9.0, "height": 9.0}


def draft(opinion: Opinion = Opinion.ACCEPT, **fields) -> VerdictDraft:
    defaults = {"request_id": "r", "case_id": 1, "prediction_id": 1, "evidence_token": "t"}
    return VerdictDraft(opinion=opinion, explanation_ids=(7, 8), **(defaults | fields))


def checked(made: VerdictDraft) -> None:
    check(made, classes=["normal", "nodule"], width_px=64, height_px=48)


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
        (Opinion.CANNOT_ASSESS, {}),
    ],
)
def test_a_complete_verdict_passes(opinion, fields):
    checked(draft(opinion, **fields))


@pytest.mark.parametrize(
    ("opinion", "fields", "message"),
    [
        (Opinion.REJECT, {}, "at least one reason"),
        (Opinion.REJECT, {"reasons": ("because",)}, "unknown reasons: because"),
        (Opinion.MODIFY, {}, "what is modified"),
        (Opinion.MODIFY, {"comment": "  "}, "what is modified"),
        (Opinion.MODIFY, {"corrected_label": "toy poodle"}, "'toy poodle' is not a class"),
        (Opinion.ACCEPT, {"corrected_label": "nodule"}, "accept with modification"),
        (Opinion.WITHDRAWN, {}, "undoing"),
        (Opinion.ACCEPT, {"comment": "x" * 4001}, "4001 characters"),
        (Opinion.ACCEPT, {"comment": "half a pair \ud83d"}, "not text"),
        (Opinion.ACCEPT, {"comment": "\0"}, "not text"),
        (Opinion.ACCEPT, {"request_id": ""}, "0 characters; allowed are 1 to 64"),
        (Opinion.ACCEPT, {"request_id": "r" * 65}, "65 characters"),
        (Opinion.ACCEPT, {"boxes": (BOX | {"x": 60.0},)}, "outside the image of 64 x 48 px"),
        (Opinion.ACCEPT, {"boxes": (BOX | {"y": -1.0},)}, "outside"),
        (Opinion.ACCEPT, {"boxes": (BOX | {"width": 0.0},)}, "outside"),
        (Opinion.ACCEPT, {"boxes": (BOX | {"height": float("nan")},)}, "outside"),
        (Opinion.ACCEPT, {"boxes": (BOX | {"width": float("inf")},)}, "outside"),
        (Opinion.ACCEPT, {"boxes": ({"x": 1.0, "y": 1.0},)}, "a box has x, y"),
        (Opinion.ACCEPT, {"boxes": (BOX,) * 51}, "51 boxes"),
        (Opinion.ACCEPT, {"plausibility": {9: Plausibility.UNSURE}}, "on the screen"),
        (Opinion.ACCEPT, {"active_seconds": float("nan")}, "nan s on one case"),
        (Opinion.ACCEPT, {"active_seconds": -1.0}, "-1.0 s on one case"),
    ],
)
def test_an_incomplete_or_contradictory_verdict_is_refused_with_the_reason(
    opinion, fields, message
):
    with pytest.raises(VerdictError, match=message):
        checked(draft(opinion, **fields))
