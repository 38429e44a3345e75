import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from db.errors import ConflictError, NotFoundError
from db.tables import Account, Case, Explanation, Prediction, TriageFlag, Verdict
from db.types import CaseStatus, Opinion, Role, TriageReason
from review.errors import StaleCaseError, VerdictError
from review.settings import Settings
from review.verdicts import sign
from review.verdicts.evidence import evidence_of
from review.verdicts.sign import VerdictDraft, VerdictView
from review.verdicts.verify import verify
from review.workspace import Workspace
from tests import builders
from tests.builders import OPERATOR

BOX = {"y": 0, "width": 9, "height": 9}
Drafter = Callable[..., VerdictDraft]
ROOT = Path(__file__).parents[3]
# Signs in a loop and says what was acknowledged, until it is killed.
SIGN_ON = """
import sys
from pathlib import Path
from db.types import Opinion
from review.verdicts import sign
from review.verdicts.evidence import evidence_of
from review.verdicts.draft import VerdictDraft
from review.policy import OperatingSystemUser
from review.settings import Settings
from review.workspace import Workspace

home, name, token, *ids = sys.argv[1:]
reader, case, prediction, *maps = map(int, ids)
ws = Workspace.open(Settings(Path(home), f"sqlite:///{home}/second-look.db", bytes(32)))
shown = next((v.id for v in sign.history(ws, case, by=OperatingSystemUser("x")) if v.current), None)
for turn in range(1000):
    request = f"{name}-{turn}"
    draft = VerdictDraft(
        request, case, prediction, Opinion.ACCEPT, token, tuple(maps), supersedes_id=shown
    )
    shown = sign.record(ws, reader, draft).id
    print(request, flush=True)
"""


@pytest.fixture
def workspace(each_workspace: Workspace) -> Workspace:
    """Every rule of signing holds on each kind of database."""
    return each_workspace


@pytest.fixture
def reader_id(workspace: Workspace) -> int:
    with workspace.begin() as session:
        return builders.account(session).id


@pytest.fixture
def draft(workspace: Workspace) -> Drafter:
    """Draft verdicts on one explained case."""
    return drafter(workspace)


def drafter(ws: Workspace) -> Drafter:
    store = ws.artifacts
    with ws.begin() as session:
        case = builders.case(session, image_sha256=builders.artifact(session, store))
        model = builders.model(session, weights_sha256=builders.artifact(session, store))
        prediction = builders.prediction(session, case, model)
        maps = [
            builders.explanation(
                session,
                prediction,
                method=method,
                artifact_sha256=builders.artifact(session, store),
            ).id
            for method in ("integrated_gradients", "occlusion")
        ]
        token = sign.evidence_token(session, prediction.id, maps)

    def make(request_id: str = "r1", opinion: Opinion = Opinion.ACCEPT, **fields) -> VerdictDraft:
        defaults = {
            "case_id": case.id,
            "prediction_id": prediction.id,
            "evidence_token": token,
            "explanation_ids": tuple(maps),
            "active_seconds": 3,
        }
        return VerdictDraft(request_id, opinion=opinion, **(defaults | fields))

    return make


def n_verdicts(ws: Workspace) -> int:
    with ws.read() as session:
        return session.scalar(select(func.count()).select_from(Verdict))


def test_signing_makes_the_case_reviewed(workspace, reader_id, draft):
    view = sign.record(workspace, reader_id, draft())
    assert view.opinion is Opinion.ACCEPT
    with workspace.read() as session:
        assert session.get(Case, view.case_id).status is CaseStatus.REVIEWED


def test_a_request_sent_twice_signs_once(workspace, reader_id, draft):
    first = sign.record(workspace, reader_id, draft())
    again = sign.record(workspace, reader_id, draft())
    assert first == again
    assert n_verdicts(workspace) == 1


def test_a_request_id_cannot_carry_another_verdict(workspace, reader_id, draft):
    sign.record(workspace, reader_id, draft())
    with pytest.raises(ConflictError):
        sign.record(workspace, reader_id, draft(comment="something else"))
    assert n_verdicts(workspace) == 1


def test_signing_again_supersedes(workspace, reader_id, draft):
    first = sign.record(workspace, reader_id, draft("r1"))
    second = sign.record(
        workspace,
        reader_id,
        draft("r2", Opinion.REJECT, reasons=("wrong_finding",), supersedes_id=first.id),
    )
    history = sign.history(workspace, first.case_id, by=OPERATOR)
    assert [(v.id, v.current) for v in history] == [(first.id, False), (second.id, True)]


def test_withdrawing_reopens_the_case(workspace, reader_id, draft):
    signed = sign.record(workspace, reader_id, draft())
    sign.withdraw(workspace, reader_id, signed.id, "undo")
    sign.withdraw(workspace, reader_id, signed.id, "undo")
    assert [v.current for v in sign.history(workspace, signed.case_id, by=OPERATOR)] == [
        False,
        False,
    ]
    with workspace.read() as session:
        assert session.get(Case, signed.case_id).status is CaseStatus.READY


def test_only_the_last_verdict_can_be_withdrawn(workspace, reader_id, draft):
    first = sign.record(workspace, reader_id, draft("r1"))
    sign.record(workspace, reader_id, draft("r2", supersedes_id=first.id))
    with pytest.raises(VerdictError, match="superseded already"):
        sign.withdraw(workspace, reader_id, first.id, "undo")


def test_a_verdict_says_which_of_others_were_open_to_its_reader(workspace, reader_id, draft):
    with workspace.begin() as session:
        ada, ben = (builders.account(session, name=name).id for name in ("ada", "ben"))
        boss = builders.account(session, Role.ADMINISTRATOR).id
    fresh = sign.record(workspace, reader_id, draft("r1"))
    of_ada = sign.record(workspace, ada, draft("r2"))
    amended = sign.record(
        workspace, reader_id, draft("r3", comment="as Ada says", supersedes_id=fresh.id)
    )
    undone = sign.withdraw(workspace, reader_id, amended.id, "undo")
    of_ben = sign.record(workspace, ben, draft("r4"))
    # What Ben said came while nothing of this reader stood: it was never open.
    anew = sign.record(workspace, reader_id, draft("r5"))
    of_boss = sign.record(workspace, boss, draft("r6"))
    open_to = (
        (fresh, []),
        (of_ada, []),
        (amended, [of_ada.id]),
        (undone, [of_ada.id]),
        (of_ben, []),
        (anew, [of_ada.id]),
        (of_boss, [fresh.id, of_ada.id, amended.id, undone.id, of_ben.id, anew.id]),
    )
    with workspace.read() as session:
        for view, others in open_to:
            assert session.get_one(Verdict, view.id).evidence["others_open"] == others
            assert view.unblinded is bool(others)


def test_where_it_was_not_recorded_nothing_is_said_of_others(workspace, reader_id, draft):
    with workspace.begin() as session:
        prediction = session.get_one(Prediction, draft().prediction_id)
        builders.verdict(session, prediction, session.get_one(Account, reader_id))
    (view,) = sign.history(workspace, draft().case_id, by=OPERATOR)
    assert view.unblinded is None


def test_another_readers_verdict_cannot_be_withdrawn(workspace, reader_id, draft):
    signed = sign.record(workspace, reader_id, draft())
    with workspace.begin() as session:
        other = builders.account(session).id
    with pytest.raises(VerdictError, match="only the reader"):
        sign.withdraw(workspace, other, signed.id, "undo")


@pytest.mark.parametrize(
    ("verdict_id", "request_id", "message"),
    [
        (True, "undo", "the verdict's id is true; allowed: whole numbers"),
        (1.0, "undo", "the verdict's id is 1.0"),
        (1, "", "the request id has 0 characters"),
        (1, "u" * 65, "the request id has 65 characters; allowed are 64"),
        (1, "\0", "the request id holds a character that is not text"),
        (1, None, "the request id is nothing; allowed: text"),
    ],
)
def test_a_withdrawal_is_of_the_types_it_says(
    workspace, reader_id, draft, verdict_id, request_id, message
):
    sign.record(workspace, reader_id, draft())
    with pytest.raises(VerdictError, match=message):
        sign.withdraw(workspace, reader_id, verdict_id, request_id)
    assert n_verdicts(workspace) == 1


def test_a_contradictory_verdict_is_not_signed(workspace, reader_id, draft):
    with pytest.raises(VerdictError, match="at least one reason"):
        sign.record(workspace, reader_id, draft(opinion=Opinion.REJECT))
    with pytest.raises(VerdictError, match="not a class"):
        sign.record(
            workspace, reader_id, draft(opinion=Opinion.MODIFY, corrected_label="toy poodle")
        )
    with pytest.raises(VerdictError, match="outside the image"):
        sign.record(workspace, reader_id, draft(boxes=({"x": 60, **BOX},)))
    assert n_verdicts(workspace) == 0


@pytest.mark.parametrize(
    "fields",
    [{"evidence_token": "0" * 64}, {"case_id": 999}, {"explanation_ids": (999,)}],
)
def test_what_was_not_shown_cannot_be_signed(workspace, reader_id, draft, fields):
    with pytest.raises(StaleCaseError):
        sign.record(workspace, reader_id, draft(**fields))
    assert n_verdicts(workspace) == 0


def test_evidence_names_all_that_was_shown(workspace, reader_id, draft):
    signed = sign.record(workspace, reader_id, draft())
    with workspace.read() as session:
        evidence = session.get(Verdict, signed.id).evidence
    assert {m["method"] for m in evidence["maps"]} == {"integrated_gradients", "occlusion"}
    assert all(len(m["sha256"]) == 64 for m in evidence["maps"])
    assert evidence["software"]["torch"]
    assert evidence["reader"]["account_id"] == reader_id
    assert (evidence["window"], evidence["rescale"]) == ([0.0, 255.0], [1.0, 0.0])
    assert evidence["classes"] == builders.CLASSES
    assert evidence["scores"] == [0.05, 0.9, 0.03, 0.02]
    assert (evidence["target"], evidence["label"]) == (1, "nodule")
    assert {"preprocessing", "scoring", "geometry"} <= evidence.keys()


def test_very_many_classes_are_signed_by_their_hash(workspace, reader_id):
    classes, store = [f"class {number}" for number in range(1000)], workspace.artifacts
    with workspace.begin() as session:
        model = builders.model(
            session,
            weights_sha256=builders.artifact(session, store),
            card={"classes": classes, "scores": "softmax"},
        )
        case = builders.case(session, image_sha256=builders.artifact(session, store))
        prediction = builders.predicted(session, case, model, [0.001] * 1000)
        shown = evidence_of(session, prediction.id, [])
        token = sign.evidence_token(session, prediction.id, [])
    assert (shown["classes"]["n"], shown["scores"]["n"]) == (1000, 1000)
    assert len(str(shown)) < 2000
    draft = VerdictDraft("r1", case.id, prediction.id, Opinion.ACCEPT, token)
    sign.record(workspace, reader_id, draft)
    assert verify(workspace, by=OPERATOR).problems == ()


def test_readers_who_disagree_are_flagged(workspace, reader_id, draft):
    signed = sign.record(workspace, reader_id, draft("r1"))
    with workspace.begin() as session:
        other = builders.account(session).id
    sign.record(workspace, other, draft("r2", Opinion.REJECT, reasons=("wrong_finding",)))
    with workspace.read() as session:
        flags = set(session.scalars(select(TriageFlag.reason)))
    assert flags == {TriageReason.REJECTED.value, TriageReason.READERS_DISAGREE.value}
    sign.withdraw(workspace, reader_id, signed.id, "undo")
    with workspace.read() as session:
        assert set(session.scalars(select(TriageFlag.reason))) == {TriageReason.REJECTED.value}


def test_many_readers_at_once_keep_one_chain(workspace, draft):
    with workspace.begin() as session:
        readers = [builders.account(session, Role.READER).id for _ in range(4)]
    run_all(
        lambda reader=reader: sign.record(workspace, reader, draft(f"{reader}"))
        for reader in readers
    )
    report = verify(workspace, by=OPERATOR)
    assert (report.n_verdicts, report.problems) == (4, ())


def test_a_double_click_signs_once_even_when_both_arrive_at_once(workspace, reader_id, draft):
    views = run_all(lambda: sign.record(workspace, reader_id, draft()) for _ in range(4))
    assert views == [views[0]] * 4
    assert n_verdicts(workspace) == 1


def test_of_two_tabs_of_one_reader_one_signs_and_the_other_is_told(workspace, reader_id, draft):
    def tab(number: int) -> str:
        try:
            sign.record(workspace, reader_id, draft(f"tab {number}"))
        except StaleCaseError as exc:
            return str(exc)
        return ""

    told = [words for words in run_all(lambda n=n: tab(n) for n in range(3)) if words]
    assert len(told) == 2
    assert all(re.match(r"you signed Accept at \d\d:\d\d UTC in another window", w) for w in told)
    assert n_verdicts(workspace) == 1


def test_what_supersedes_names_the_verdict_that_stands(workspace, reader_id, draft):
    with pytest.raises(VerdictError, match="no verdict of yours"):
        sign.record(workspace, reader_id, draft("r0", supersedes_id=7))
    first = sign.record(workspace, reader_id, draft("r1"))
    sign.withdraw(workspace, reader_id, first.id, "undo")
    with pytest.raises(StaleCaseError, match=r"you withdrew your verdict at .*then sign again$"):
        sign.record(workspace, reader_id, draft("r2", supersedes_id=first.id))
    again = sign.record(workspace, reader_id, draft("r3"))
    assert sign.record(workspace, reader_id, draft("r3")) == again


def test_another_readers_verdict_is_in_nobodys_way(workspace, reader_id, draft):
    with workspace.begin() as session:
        other = builders.account(session).id
    first = sign.record(workspace, other, draft("theirs"))
    assert sign.record(workspace, reader_id, draft("mine")).current
    with pytest.raises(StaleCaseError):
        sign.record(workspace, reader_id, draft("more", supersedes_id=first.id))


def test_a_verdict_asked_for_again_after_everything_changed_is_still_the_same(
    workspace, reader_id, draft, monkeypatch
):
    """The browser lost the answer and asks again after an update and a new map."""
    first = sign.record(workspace, reader_id, draft())
    monkeypatch.setattr(sign, "versions", lambda: {"second-look": "9"})
    with workspace.begin() as session:
        session.query(Prediction).one().score = 0.5
        session.query(Explanation).first().trust = {"badge": "poor"}
    assert sign.record(workspace, reader_id, draft()) == first
    with pytest.raises(StaleCaseError):
        sign.record(workspace, reader_id, draft("another"))


@pytest.mark.parametrize(
    "change",
    [
        lambda session: setattr(session.query(Prediction).one(), "score", 0.5),
        lambda session: setattr(session.query(Prediction).one(), "scores", [0.1, 0.9, 0, 0]),
        lambda session: setattr(session.query(Explanation).first(), "params", {"n_steps": 20}),
        lambda session: setattr(session.query(Explanation).first(), "trust", {"badge": "poor"}),
        lambda session: setattr(
            session.query(Case).one(), "image_sha256", builders.artifact(session)
        ),
    ],
)
def test_a_screen_that_shows_what_is_no_longer_so_cannot_be_signed(
    workspace, reader_id, draft, change
):
    with workspace.begin() as session:
        change(session)
    with pytest.raises(StaleCaseError, match="nothing was signed"):
        sign.record(workspace, reader_id, draft())


def test_a_withdrawal_is_no_way_round_another_request(workspace, reader_id, draft):
    signed = sign.record(workspace, reader_id, draft("r1"))
    with pytest.raises(ConflictError):
        sign.withdraw(workspace, reader_id, signed.id, "r1")
    with pytest.raises(NotFoundError):
        sign.withdraw(workspace, reader_id, 999, "undo")
    assert sign.history(workspace, signed.case_id, by=OPERATOR)[0].current


def test_a_withdrawn_verdict_cannot_be_withdrawn_again(workspace, reader_id, draft):
    signed = sign.record(workspace, reader_id, draft())
    withdrawal = sign.withdraw(workspace, reader_id, signed.id, "undo")
    for verdict_id in (signed.id, withdrawal.id):
        with pytest.raises(VerdictError, match="nothing to undo"):
            sign.withdraw(workspace, reader_id, verdict_id, "undo twice")


OPINIONS = st.sampled_from([Opinion.ACCEPT, Opinion.MODIFY, Opinion.REJECT, Opinion.CANNOT_ASSESS])
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
SIGN = st.tuples(st.integers(0, 2), OPINIONS, TEXT)
WITHDRAW = st.tuples(st.integers(0, 2), st.none(), st.just(""))


@pytest.fixture(scope="module")
def lasting_workspace(tmp_path_factory) -> Iterator[Workspace]:
    """One installation for every example of a property: each brings its own case and readers."""
    yield from opened(tmp_path_factory.mktemp("lasting"))


@settings(max_examples=15)
@given(steps=st.lists(SIGN | WITHDRAW, max_size=6))
def test_whatever_readers_do_their_last_word_stands_and_the_chain_holds(lasting_workspace, steps):
    ws = lasting_workspace
    draft = drafter(ws)
    with ws.begin() as session:
        readers = [builders.account(session).id for _ in range(3)]
    standing: dict[int, int] = {}
    for number, (who, opinion, comment) in enumerate(steps):
        reader, request = readers[who], f"{readers[who]}-{number}"
        if opinion is not None:
            fields = {"reasons": ("other",), "boxes": ({"x": 0, **BOX},), "comment": comment}
            given = draft(request, opinion, **fields, supersedes_id=standing.get(reader))
            standing[reader] = sign.record(ws, reader, given).id
        elif reader in standing:
            sign.withdraw(ws, reader, standing.pop(reader), request)
    case_id = draft().case_id
    current = {view.id for view in sign.history(ws, case_id, by=OPERATOR) if view.current}
    assert current == set(standing.values())
    with ws.read() as session:
        status = session.get_one(Case, case_id).status
    assert status is (CaseStatus.REVIEWED if standing else CaseStatus.READY)
    assert verify(ws, by=OPERATOR).problems == ()


def test_a_server_killed_while_signing_loses_nothing_that_it_acknowledged(lasting_workspace):
    ws = lasting_workspace
    shown = drafter(ws)()
    with ws.begin() as session:
        reader = builders.account(session).id
    ids = map(str, (reader, shown.case_id, shown.prediction_id, *shown.explanation_ids))
    arguments = [str(ws.settings.home), shown.evidence_token, *ids]
    acknowledged: set[str] = set()
    for n_signed in (1, 4, 9):
        with subprocess.Popen(
            [sys.executable, "-c", SIGN_ON, arguments[0], f"killed {n_signed}", *arguments[1:]],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        ) as signing:
            lines = [signing.stdout.readline() for _ in range(n_signed)]
            signing.kill()
            acknowledged |= {line.strip() for line in [*lines, *signing.stdout]}
        assert signing.returncode == -signal.SIGKILL
    with ws.read() as session:
        kept = set(session.scalars(select(Verdict.request_id).where(Verdict.reader_id == reader)))
    assert len(acknowledged) >= 14
    assert acknowledged <= kept
    assert verify(ws, by=OPERATOR).problems == ()


def opened(home: Path) -> Iterator[Workspace]:
    ws = Workspace.open(Settings(home, f"sqlite:///{home / 'second-look.db'}", bytes(32)))
    yield ws
    ws.sessions.kw["bind"].dispose()


def run_all(calls: Iterable[Callable[[], VerdictView]]) -> list[VerdictView]:
    """Make calls at the same time and return what they return."""
    with ThreadPoolExecutor(max_workers=4) as pool:
        return [future.result() for future in [pool.submit(call) for call in calls]]
