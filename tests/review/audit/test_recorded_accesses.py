"""That each access is recorded, with account, session and address, and nothing of a patient."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from db.tables import Access, WebSession
from db.types import AccessKind, Role, now
from review.access import accounts, sessions
from review.access.tokens import token_sha256
from review.cases import pixels, reading
from review.errors import AccessError, LinkError, SignInLockedError
from review.exporting import kept, requests
from review.exporting.dataset import ExportFilter
from review.maps import agreement
from review.processes import upkeep
from review.whence import Whence, coming_from
from tests import builders
from tests.builders import OPERATOR

PASSWORD = "correct horse battery"
NAME = "Mustermann^Erika"


@pytest.fixture
def ws(workspace):
    with coming_from(Whence("ab" * 32, "10.0.0.7")):
        yield workspace


@pytest.fixture
def ada(ws) -> int:
    return accounts.create_account(ws, "ada", role=Role.READER, password=PASSWORD, by=OPERATOR).id


@pytest.fixture
def grace(ws) -> int:
    return accounts.create_account(ws, "grace", role=Role.ENGINEER, by=OPERATOR).id


@pytest.fixture
def filled(ws) -> dict[str, int]:
    with ws.begin() as session:
        case = builders.case(session, patient_key=NAME, modality="CR")
        prediction = builders.prediction(session, case, builders.model(session))
        maps = [builders.explanation(session, prediction, method=m).id for m in ("rise", "lime")]
    return {"case": case.id, "left": maps[0], "right": maps[1]}


def told(ws) -> list[Access]:
    with ws.read() as session:
        return list(session.scalars(select(Access).order_by(Access.id)))


def last(ws) -> tuple[AccessKind, int | None, int | None, dict]:
    row = told(ws)[-1]
    return row.kind, row.account_id, row.case_id, row.content


def test_opening_a_case(ws, ada, filled):
    reading.open_case(ws, filled["case"], reader_id=ada)
    assert last(ws) == (AccessKind.CASE_OPENED, ada, filled["case"], {})
    assert (told(ws)[-1].session, told(ws)[-1].address) == ("ab" * 6, "10.0.0.7")


def test_a_case_that_is_sent_ahead_is_told_apart(ws, ada, filled):
    reading.open_ahead(ws, filled["case"], reader_id=ada)
    assert last(ws) == (AccessKind.CASE_SENT_AHEAD, ada, filled["case"], {})


def test_fetching_pixels(ws, ada, filled):
    pixels.image_sha256(ws, filled["case"], by=ada)
    assert last(ws) == (AccessKind.PIXELS_FETCHED, ada, filled["case"], {})


def test_seeing_a_map(ws, ada, filled):
    pixels.drawn_map(ws, filled["left"], by=ada)
    shown = {"explanation": filled["left"], "method": "rise"}
    assert last(ws) == (AccessKind.MAP_FETCHED, ada, filled["case"], shown)


def test_comparing_maps(ws, ada, filled):
    agreement.pair(ws, filled["left"], filled["right"], by=ada)
    shown = {"explanations": [filled["left"], filled["right"]]}
    assert last(ws) == (AccessKind.MAPS_COMPARED, ada, filled["case"], shown)


def test_asking_for_an_export_and_downloading_it(ws, grace):
    export_id = requests.request(ws, ExportFilter(), by=grace)
    assert last(ws) == (AccessKind.EXPORT_ASKED, grace, None, {"export": export_id})
    path = kept.path_of(ws, export_id)
    path.parent.mkdir()
    path.touch()
    requests.download(ws, export_id, by=grace)
    assert last(ws) == (AccessKind.EXPORT_DOWNLOADED, grace, None, {"export": export_id})


def test_being_refused(ws, ada):
    with pytest.raises(AccessError):
        requests.exports(ws, by=ada)
    assert last(ws) == (AccessKind.REFUSED, ada, None, {"action": "export the feedback"})
    new = "another long password"
    with pytest.raises(AccessError):
        accounts.change_password(ws, ada, new, current="guess", session_token=None)
    why = {"why": "current password did not fit"}
    assert last(ws) == (AccessKind.REFUSED, ada, None, why)


def test_signing_in_and_out(ws, ada):
    token = sessions.sign_in(ws, "ada", PASSWORD)
    assert last(ws) == (AccessKind.SIGNED_IN, ada, None, {"way": "password"})
    sessions.sign_out(ws, token)
    sessions.sign_out(ws, token)  # ended already
    assert [row.kind for row in told(ws)] == [AccessKind.SIGNED_IN, AccessKind.SIGNED_OUT]
    assert {row.session for row in told(ws)} == {token_sha256(token)[:12]}


def test_failing_to_sign_in_names_an_account_and_nothing_that_was_typed(ws, ada):
    for name, of in (("Ada", ada), ("my secret passphrase", None)):
        with pytest.raises(AccessError):
            sessions.sign_in(ws, name, "wrong guess")
        way = {"way": "password"} if of else {"way": "password", "name": "unknown"}
        assert last(ws) == (AccessKind.SIGN_IN_FAILED, of, None, way)
    assert "secret" not in str([row.content for row in told(ws)])
    assert "guess" not in str([row.content for row in told(ws)])


def test_a_flood_of_locked_attempts_is_told_once_a_minute(ws, ada):
    for _ in range(5):
        with pytest.raises(AccessError):
            sessions.sign_in(ws, "ada", "wrong")
    for _ in range(20):
        with pytest.raises(SignInLockedError):
            sessions.sign_in(ws, "ada", "wrong")
    assert len(told(ws)) == 6
    assert last(ws)[3] == {"way": "password", "why": "too many attempts"}


def test_links_that_are_no_good(ws, ada):
    token = accounts.issue_link(ws, ada, by=OPERATOR)
    sessions.redeem_link(ws, token)
    for tried, of, more in ((token, ada, {}), ("made up", None, {"link": "unknown"})):
        for _ in range(3):
            with pytest.raises(LinkError):
                sessions.redeem_link(ws, tried)
        assert last(ws) == (AccessKind.SIGN_IN_FAILED, of, None, {"way": "link"} | more)
    assert len(told(ws)) == 3


@pytest.mark.parametrize(
    ("hours", "seen_hours", "why"), [(1, 0, "nobody was active"), (12, 12, "its time was up")]
)
def test_a_session_that_runs_out_ends_on_record_once(ws, ada, monkeypatch, hours, seen_hours, why):
    token = sessions.sign_in(ws, "ada", PASSWORD)
    with ws.begin() as session:
        found = session.get_one(WebSession, token_sha256(token))
        found.last_seen_at = now() + timedelta(hours=seen_hours)
    upkeep.once(ws)
    assert last(ws)[0] is AccessKind.SIGNED_IN
    later = now() + timedelta(hours=hours, minutes=1)
    monkeypatch.setattr(sessions, "now", lambda: later)
    for _ in range(2):
        upkeep.once(ws)
    assert last(ws) == (AccessKind.SESSION_ENDED, ada, None, {"why": why})
    assert [row.session for row in told(ws)] == [token_sha256(token)[:12]] * 2


def test_sessions_that_somebody_else_ends_tell_whose_doing_it_was(ws, ada):
    with ws.begin() as session:
        root = builders.account(session, Role.ADMINISTRATOR, name="root").id
    for act, why in (
        (lambda: accounts.reset_password(ws, ada, by=root), "the password was reset"),
        (lambda: accounts.set_password(ws, ada, PASSWORD, by=root), "the password was changed"),
        (lambda: accounts.deactivate(ws, ada, by=root), "the account was closed"),
    ):
        token = sessions.redeem_link(ws, accounts.issue_link(ws, ada, by=root))
        act()
        kind, by, _, content = last(ws)
        assert (kind, by, content["why"]) == (AccessKind.SESSION_ENDED, root, why)
        assert content["of_account"] == ada
        assert content["of_session"] == token_sha256(token)[:12]


def test_nothing_of_the_patient_is_told(ws, ada, filled):
    reading.open_case(ws, filled["case"], reader_id=ada)
    pixels.image_sha256(ws, filled["case"], by=ada)
    pixels.drawn_map(ws, filled["left"], by=ada)
    agreement.pair(ws, filled["left"], filled["right"], by=ada)
    assert len(told(ws)) == 4
    assert NAME not in str([vars(row) for row in told(ws)])
