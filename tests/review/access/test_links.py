"""Who made a sign-in link, who is told, and the trace that it leaves."""

import pytest
from sqlalchemy import select

from db.tables import Access, AuditEvent, SignInToken, Verdict
from db.types import AccessKind, AuditKind, Opinion, Role
from review.access import accounts, links, sessions
from review.access.tokens import token_sha256
from review.cases import reading
from review.errors import AccessError
from review.verdicts import sign
from review.verdicts.evidence import evidence_token
from review.verdicts.sign import VerdictDraft
from review.verdicts.verify import verify
from review.whence import Whence, coming_from
from review.workspace import Workspace
from tests import builders
from tests.builders import OPERATOR

PASSWORD = "correct horse battery"


@pytest.fixture
def ws(workspace: Workspace) -> Workspace:
    return workspace


@pytest.fixture
def root(ws) -> int:
    return accounts.create_account(
        ws, "root", role=Role.ADMINISTRATOR, display_name="The Root", by=OPERATOR
    ).id


@pytest.fixture
def ada(ws) -> int:
    return accounts.create_account(ws, "ada", role=Role.READER, password=PASSWORD, by=OPERATOR).id


def came_by_link(ws, account_id: int, *, by, address: str = "10.0.0.7") -> str:
    token = accounts.issue_link(ws, account_id, by=by)
    with coming_from(Whence(address=address)):
        return sessions.redeem_link(ws, token)


def signed(ws, reader_id: int, session_token: str, request_id: str = "one") -> Verdict:
    """Sign a verdict in a session, and return its row."""
    with ws.begin() as session:
        prediction = session.scalar(select(Verdict.prediction_id))
        if prediction is None:
            case = builders.case(session)
            prediction = builders.prediction(session, case, builders.model(session)).id
        case_id = 1
        token = evidence_token(session, prediction, [])
    with coming_from(Whence(token_sha256(session_token))):
        draft = VerdictDraft(request_id, case_id, prediction, Opinion.ACCEPT, token)
        view = sign.record(ws, reader_id, draft)
        assert sign.record(ws, reader_id, draft) == view  # sent twice, signed once
    with ws.read() as session:
        return session.get_one(Verdict, view.id)


def told(ws, kind) -> list[Access]:
    with ws.read() as session:
        return list(session.scalars(select(Access).where(Access.kind == kind)))


def test_a_link_names_its_issuer(ws, root, ada):
    accounts.issue_link(ws, ada, by=root)
    accounts.issue_link(ws, ada, by=OPERATOR)
    with ws.read() as session:
        made = session.scalars(select(SignInToken).order_by(SignInToken.created_at)).all()
        assert [link.issued_by for link in made] == [root, None]
        events = session.scalars(
            select(AuditEvent).where(AuditEvent.kind == AuditKind.LINK_ISSUED)
        ).all()
        assert [event.actor_id for event in events] == [root, None]
        assert events[1].content["by"] == str(OPERATOR)


def test_the_account_is_told_who_made_it_when_and_from_where_it_was_used(ws, root, ada):
    came_by_link(ws, ada, by=root)
    (notice,) = links.notices(ws, ada)
    assert (notice.issuer, notice.used_from) == ("The Root", "10.0.0.7")
    assert notice.issued_at <= notice.used_at
    assert links.notices(ws, root) == ()


def test_the_operating_systems_user_is_named(ws, ada):
    came_by_link(ws, ada, by=OPERATOR)
    assert links.notices(ws, ada)[0].issuer == str(OPERATOR)


def test_the_way_in_of_an_account_without_a_password_is_told_once_it_has_one(ws):
    first = accounts.create_account(ws, "first", role=Role.ADMINISTRATOR, by=OPERATOR).id
    came_by_link(ws, first, by=OPERATOR)
    assert links.notices(ws, first) == ()
    accounts.set_password(ws, first, PASSWORD, by=OPERATOR)
    assert len(links.notices(ws, first)) == 1


def test_what_was_not_used_or_made_by_oneself_is_no_news(ws, root, ada):
    accounts.issue_link(ws, ada, by=root)
    accounts.set_password(ws, ada, PASSWORD, by=OPERATOR)  # voids it
    came_by_link(ws, root, by=root)
    assert links.notices(ws, ada) == links.notices(ws, root) == ()


def test_it_is_told_until_the_account_takes_note(ws, root, ada):
    came_by_link(ws, ada, by=root)
    own = sessions.sign_in(ws, "ada", PASSWORD)
    assert len(links.notices(ws, ada)) == 1
    assert links.take_note(ws, ada, own)
    assert links.notices(ws, ada) == ()
    came_by_link(ws, ada, by=root)
    assert len(links.notices(ws, ada)) == 1


def test_whoever_came_by_the_link_cannot_take_note_for_the_account(ws, root, ada):
    guest = came_by_link(ws, ada, by=root)
    assert not links.take_note(ws, ada, guest)
    stranger = sessions.redeem_link(ws, accounts.issue_link(ws, root, by=root))
    for token in (stranger, "", None, "made up"):
        assert not links.take_note(ws, ada, token)
    assert len(links.notices(ws, ada)) == 1


def test_whoever_came_by_a_link_cannot_make_one_that_passes_for_the_accounts_own(ws, root):
    eve = accounts.create_account(ws, "eve", role=Role.ADMINISTRATOR, by=OPERATOR).id
    guest = came_by_link(ws, root, by=eve)
    with coming_from(Whence(token_sha256(guest))):
        for make in (accounts.issue_link, accounts.reset_password):
            with pytest.raises(AccessError, match="came by a link that somebody else made"):
                make(ws, root, by=root)
        assert accounts.issue_link(ws, eve, by=root)
    assert accounts.issue_link(ws, root, by=root)


@pytest.mark.parametrize("issuer", ["root", "operating system"])
def test_a_verdict_says_by_whose_link_its_session_came(ws, root, ada, issuer):
    by = root if issuer == "root" else OPERATOR
    verdict = signed(ws, ada, came_by_link(ws, ada, by=by))
    named = (
        {"account_id": root, "name": "root"}
        if issuer == "root"
        else {"operating_system_user": OPERATOR.name}
    )
    assert verdict.evidence["session"] == {"by_link_of": named}
    report = verify(ws, by=OPERATOR)
    assert [p for p in report.problems if "artifact" not in p] == []
    (line,) = sign.history(ws, verdict.case_id, by=root)
    assert line.by_link_of == ("root" if issuer == "root" else str(OPERATOR))
    view = reading.open_case(ws, verdict.case_id, reader_id=ada)
    assert [earlier.by_link_of for earlier in view.verdicts] == [line.by_link_of]


def test_a_session_of_ones_own_leaves_no_trace_in_the_verdict(ws, root, ada):
    own = sessions.sign_in(ws, "ada", PASSWORD)
    assert signed(ws, ada, own).evidence["session"] == {"by_link_of": None}
    of_root = came_by_link(ws, root, by=root)
    assert signed(ws, root, of_root, "two").evidence["session"] == {"by_link_of": None}


def test_withdrawing_tells_of_the_session_that_withdraws(ws, root, ada):
    guest = came_by_link(ws, ada, by=root)
    own = sessions.sign_in(ws, "ada", PASSWORD)
    for first, second in ((guest, own), (own, guest)):
        verdict = signed(ws, ada, first, f"signed by {first}")
        with coming_from(Whence(token_sha256(second))):
            undone = sign.withdraw(ws, ada, verdict.id, f"withdrawn by {second}").id
        with ws.read() as session:
            evidence = session.get_one(Verdict, undone).evidence
        assert bool(evidence["session"]["by_link_of"]) == (second is guest)


def test_signing_in_by_link_tells_whose_it_was(ws, root, ada):
    token = came_by_link(ws, ada, by=root)
    (row,) = told(ws, AccessKind.SIGNED_IN)
    assert (row.account_id, row.address) == (ada, "10.0.0.7")
    assert row.session == token_sha256(token)[:12]
    assert row.content == {"way": "link", "by_link_of": {"account_id": root, "name": "root"}}


def test_no_token_and_no_password_is_anywhere_in_the_record(ws, root, ada):
    link = accounts.issue_link(ws, ada, by=root)
    token = sessions.redeem_link(ws, link)
    secrets = [link, token, token_sha256(token), PASSWORD]
    sessions.sign_out(ws, token)
    with ws.read() as session:
        kept = [row.content for row in session.scalars(select(AuditEvent))]
        kept += [(row.session, row.address, row.content) for row in session.scalars(select(Access))]
    assert not any(secret in str(kept) for secret in secrets)
