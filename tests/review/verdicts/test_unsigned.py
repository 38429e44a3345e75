"""Drafts on the server: small, strict, one reader's alone, and never overwritten unseen."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from db.errors import NotFoundError
from db.tables import Case, Draft, Verdict
from db.types import Opinion, Role, now
from review.cases.reading import open_case
from review.errors import AccessError
from review.verdicts import sign, unsigned
from review.verdicts.unsigned import DraftContent, DraftError, NewerDraftError
from review.workspace import Workspace
from tests import builders

MINE = DraftContent(opinion="reject", comment="mine")
THEIRS = DraftContent(comment="theirs")
PICTURE = "1/occlusion/0123456789abcdef"
BOX = {"x": 1, "y": 2.5, "width": 3, "height": 4}


@pytest.fixture
def workspace(each_workspace: Workspace) -> Workspace:
    """Drafts are kept alike on each kind of database."""
    return each_workspace


@pytest.fixture
def reader_id(workspace: Workspace) -> int:
    with workspace.begin() as session:
        return builders.account(session).id


@pytest.fixture
def other_id(workspace: Workspace) -> int:
    with workspace.begin() as session:
        return builders.account(session).id


@pytest.fixture
def prediction_id(workspace: Workspace) -> int:
    with workspace.begin() as session:
        case, model = builders.case(session), builders.model(session)
        return builders.prediction(session, case, model).id


def offered(ws: Workspace, account_id: int, prediction_id: int) -> DraftContent | None:
    with ws.read() as session:
        found = unsigned.offered(session, account_id, prediction_id)
        return found and found.content


def n_drafts(ws: Workspace) -> int:
    with ws.read() as session:
        return session.scalar(select(func.count()).select_from(Draft)) or 0


def test_a_draft_is_offered_to_its_reader_alone(workspace, reader_id, other_id, prediction_id):
    unsigned.keep(workspace, reader_id, prediction_id, MINE, base_at=None)
    assert offered(workspace, reader_id, prediction_id) == MINE
    assert offered(workspace, other_id, prediction_id) is None


def test_a_draft_is_written_over_by_who_knew_its_last_state(workspace, reader_id, prediction_id):
    first = unsigned.keep(workspace, reader_id, prediction_id, MINE, base_at=None)
    second = unsigned.keep(workspace, reader_id, prediction_id, THEIRS, base_at=first.updated_at)
    assert second.updated_at > first.updated_at
    assert offered(workspace, reader_id, prediction_id) == THEIRS
    assert n_drafts(workspace) == 1


@pytest.mark.parametrize("base_at", [None, now() - timedelta(days=1)])
def test_who_did_not_know_it_is_told_what_it_says(workspace, reader_id, prediction_id, base_at):
    kept = unsigned.keep(workspace, reader_id, prediction_id, MINE, base_at=None)
    with pytest.raises(NewerDraftError, match="newer draft") as told:
        unsigned.keep(workspace, reader_id, prediction_id, THEIRS, base_at=base_at)
    assert told.value.draft == kept
    with pytest.raises(NewerDraftError):
        unsigned.discard(workspace, reader_id, prediction_id, base_at=base_at)
    assert offered(workspace, reader_id, prediction_id) == MINE


def test_a_discarded_draft_is_gone(workspace, reader_id, other_id, prediction_id):
    unsigned.keep(workspace, other_id, prediction_id, THEIRS, base_at=None)
    kept = unsigned.keep(workspace, reader_id, prediction_id, MINE, base_at=None)
    unsigned.discard(workspace, reader_id, prediction_id, base_at=kept.updated_at)
    assert offered(workspace, reader_id, prediction_id) is None
    assert offered(workspace, other_id, prediction_id) == THEIRS
    unsigned.discard(workspace, reader_id, prediction_id, base_at=kept.updated_at)


def test_after_it_was_discarded_elsewhere_a_draft_is_written_anew(
    workspace, reader_id, prediction_id
):
    kept = unsigned.keep(workspace, reader_id, prediction_id, MINE, base_at=None)
    unsigned.discard(workspace, reader_id, prediction_id, base_at=kept.updated_at)
    unsigned.keep(workspace, reader_id, prediction_id, THEIRS, base_at=kept.updated_at)
    assert offered(workspace, reader_id, prediction_id) == THEIRS


def test_signing_takes_the_readers_own_draft_and_no_draft_signs(
    workspace, reader_id, other_id, prediction_id
):
    for account_id in (reader_id, other_id):
        unsigned.keep(workspace, account_id, prediction_id, MINE, base_at=None)
    with workspace.read() as session:
        assert session.scalars(select(Verdict)).all() == []
        token = sign.evidence_token(session, prediction_id, [])
    draft = sign.VerdictDraft("r1", 1, prediction_id, Opinion.ACCEPT, token)
    sign.record(workspace, reader_id, draft)
    assert offered(workspace, reader_id, prediction_id) is None
    assert offered(workspace, other_id, prediction_id) == MINE


def test_a_draft_is_offered_with_the_case_whatever_became_of_its_evidence(
    workspace, reader_id, other_id, prediction_id
):
    unsigned.keep(workspace, reader_id, prediction_id, MINE, base_at=None)
    with workspace.begin() as session:
        case = session.get_one(Case, 1)
        case.window_high = 99.0
    seen = open_case(workspace, 1, reader_id=reader_id)
    assert seen.draft
    assert seen.draft.content == MINE
    assert open_case(workspace, 1, reader_id=other_id).draft is None


def test_only_so_many_are_kept(workspace, reader_id, prediction_id, monkeypatch):
    monkeypatch.setattr(unsigned, "MAX_DRAFTS", 1)
    kept = unsigned.keep(workspace, reader_id, prediction_id, MINE, base_at=None)
    with workspace.begin() as session:
        second_id = builders.prediction(session, builders.case(session), builders.model(session)).id
    with pytest.raises(DraftError, match="1 drafts are kept for you already: sign or discard"):
        unsigned.keep(workspace, reader_id, second_id, MINE, base_at=None)
    unsigned.keep(workspace, reader_id, prediction_id, THEIRS, base_at=kept.updated_at)


def test_what_does_not_exist_has_no_draft(workspace, reader_id):
    with pytest.raises(NotFoundError):
        unsigned.keep(workspace, reader_id, 7, MINE, base_at=None)


def test_who_may_not_sign_keeps_no_draft(workspace, prediction_id):
    with workspace.begin() as session:
        engineer_id = builders.account(session, Role.ENGINEER).id
    with pytest.raises(AccessError, match="may not sign"):
        unsigned.keep(workspace, engineer_id, prediction_id, MINE, base_at=None)
    with pytest.raises(AccessError, match="may not sign"):
        unsigned.discard(workspace, engineer_id, prediction_id, base_at=None)


@pytest.mark.parametrize("content", [{"role": "x"}, {"comment": 7}, [], "x", {"opinion": "maybe"}])
def test_one_that_was_altered_in_the_database_is_not_offered_and_is_written_over(
    workspace, reader_id, prediction_id, content
):
    unsigned.keep(workspace, reader_id, prediction_id, MINE, base_at=None)
    with workspace.begin() as session:
        session.scalars(select(Draft)).one().content = content
    assert open_case(workspace, 1, reader_id=reader_id).draft is None
    unsigned.keep(workspace, reader_id, prediction_id, THEIRS, base_at=None)
    assert offered(workspace, reader_id, prediction_id) == THEIRS


def test_a_draft_comes_back_as_it_was_sent():
    sent = {
        "opinion": "modify",
        "reasons": ["other"],
        "corrected": "nodule",
        "plausibility": {PICTURE: "implausible"},
        "comment": "ü – 画",
        "boxes": [BOX],
        "reasoning": "unsound",
        "findings": {"nodule": "indeterminate"},
    }
    assert unsigned.parse(sent).to_json() == sent
    assert unsigned.parse({}) == DraftContent()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"comment": "x" * 300_000}, "comment has 300000 characters; allowed are 4000"),
        ({"comment": "a\0"}, "comment holds a character that is not text"),
        ({"comment": "\ud800"}, "comment holds a character that is not text"),
        ({"opinion": "withdrawn"}, "opinion is 'withdrawn'; allowed: 'accept', "),
        ({"reasons": ["other"] * 8}, "8 reasons; allowed are 7"),
        ({"plausibility": {"1": "plausible"}}, "plausibility "),
        ({"plausibility": {PICTURE: "very"}}, "plausibility has 'very'; allowed: "),
        ({"boxes": [BOX] * 51}, "51 boxes; allowed are 50"),
        ({"boxes": [BOX | {"x": float("nan")}]}, "boxes has nan; allowed: finite numbers"),
        ({"boxes": [BOX | {"x": "<b>"}]}, "boxes has '<b>'; allowed: numbers"),
        ({"findings": {"x" * 129: "present"}}, "findings "),
        ({"findings": {"nodule": "maybe"}}, "findings has 'maybe'; allowed: "),
        ({"reasoning": True}, "reasoning is true; allowed: "),
        ({"__proto__": {}}, "the draft has '__proto__', which this version does not know"),
    ],
)
def test_a_draft_is_of_the_types_it_says(fields, words):
    with pytest.raises(DraftError) as told:
        unsigned.parse(fields)
    assert str(told.value).startswith(words)
    assert len(str(told.value)) < 200


@pytest.mark.parametrize("sent", [None, 5, "draft", [], [["comment", "x"]]])
def test_what_is_no_draft_is_refused(sent):
    with pytest.raises(DraftError):
        unsigned.parse(sent)
