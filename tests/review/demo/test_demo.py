from pathlib import Path

import pytest
from sqlalchemy import func, select

from db.tables import Account, Case, Job, Model, Prediction, TriageFlag, Verdict
from db.types import CaseStatus, Opinion, TriageReason
from models.phantoms.phantom import Phantom, demo_set
from review.access import accounts
from review.demo import seed
from review.demo.verdicts import FIRST, PLAN, READERS, SHORTCUT, SOUND
from review.errors import AccessError
from review.processes import worker
from review.verdicts import sign
from review.verdicts.verify import verify
from review.workspace import Workspace
from tests import builders
from tests.builders import OPERATOR
from tests.tiny_models import write_card

CLASSES = ["normal", "nodule", "effusion", "cardiomegaly"]


@pytest.fixture(scope="module")
def phantoms() -> list[Phantom]:
    return demo_set()


@pytest.fixture
def seeded(
    workspace: Workspace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    phantoms: list[Phantom],
) -> Workspace:
    """The demonstration with two tiny models under the names of the real ones."""
    for number, name in enumerate((SOUND, SHORTCUT)):
        write_card(tmp_path / "cards", name, seed=number)
    for card in (tmp_path / "cards").glob("*.json"):
        card.rename(card.with_suffix(".toml"))
    monkeypatch.setattr(seed, "CARDS", tmp_path / "cards")
    monkeypatch.setattr(seed, "demo_set", lambda: phantoms)
    seed.seed(workspace, by=OPERATOR)
    return workspace


def counts(ws: Workspace) -> dict[str, int]:
    with ws.read() as session:
        return {
            table.__tablename__: session.scalar(select(func.count()).select_from(table)) or 0
            for table in (Account, Model, Case, Job, Verdict)
        }


def explain_all(ws: Workspace) -> None:
    """Predict "nodule" everywhere, without computing anything."""
    with ws.begin() as session:
        for case in session.scalars(select(Case)):
            for model in session.scalars(select(Model)):
                model.card = model.card | {"classes": CLASSES}
                prediction = builders.prediction(session, case, model)
                builders.explanation(session, prediction)
                builders.explanation(session, prediction, method="occlusion")


def test_the_demonstration_has_models_cases_readers_and_work(seeded: Workspace) -> None:
    assert counts(seeded) == {"accounts": 2, "models": 2, "cases": 24, "jobs": 48, "verdicts": 0}


def test_every_case_is_labelled_synthetic_and_has_its_reference(seeded: Workspace) -> None:
    with seeded.read() as session:
        cases = session.scalars(select(Case)).all()
    assert all(case.synthetic and case.origin == "demo" for case in cases)
    assert {case.reference_label for case in cases} == set(CLASSES)
    assert all(
        (case.reference_mask_sha256 is None) == (case.reference_label == "normal") for case in cases
    )


def test_seeding_again_keeps_everything(seeded: Workspace) -> None:
    explain_all(seeded)
    seed.apply_pending(seeded)
    before = counts(seeded)
    seed.seed(seeded, by=OPERATOR)
    assert counts(seeded) == before


def test_demo_readers_cannot_sign_in(seeded: Workspace) -> None:
    reader = accounts.account_named(seeded, FIRST, by=OPERATOR)
    with pytest.raises(AccessError, match="demo reader"):
        accounts.issue_link(seeded, reader.id, by=OPERATOR)


def test_demo_work_waits_for_everybody_elses(seeded: Workspace) -> None:
    with seeded.read() as session:
        assert max(session.scalars(select(Job.priority))) < 0


def test_verdicts_are_signed_once_their_cases_are_explained(seeded: Workspace) -> None:
    seed.apply_pending(seeded)
    assert counts(seeded)["verdicts"] == 0
    explain_all(seeded)
    seed.apply_pending(seeded)
    n_withdrawals = 1
    assert counts(seeded)["verdicts"] == len(PLAN) + n_withdrawals
    seed.apply_pending(seeded)
    assert counts(seeded)["verdicts"] == len(PLAN) + n_withdrawals


def test_what_is_signed_is_not_opened_again(
    seeded: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    explain_all(seeded)
    seed.apply_pending(seeded)
    opened: list[int] = []
    monkeypatch.setattr("review.demo.verdicts._sign", lambda _ws, due: opened.append(due.case_id))
    seed.apply_pending(seeded)
    assert opened == []


def test_verdicts_show_every_kind_and_are_a_sound_record(seeded: Workspace) -> None:
    explain_all(seeded)
    seed.apply_pending(seeded)
    with seeded.read() as session:
        opinions = set(session.scalars(select(Verdict.opinion)))
        reasons = set(session.scalars(select(TriageFlag.reason)))
        looked_at_marker = [
            verdict
            for verdict in session.scalars(select(Verdict))
            if "looks_at_marker" in verdict.reasons
        ]
    assert opinions == {Opinion.ACCEPT, Opinion.MODIFY, Opinion.REJECT, Opinion.WITHDRAWN}
    assert {
        TriageReason.REJECTED,
        TriageReason.READERS_DISAGREE,
        TriageReason.UNSOUND_REASONING,
    } <= reasons
    assert looked_at_marker
    assert not [problem for problem in verify(seeded, by=OPERATOR).problems if "verdict" in problem]


def test_a_verdict_that_cannot_be_signed_holds_up_none_of_the_others(
    seeded: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    explain_all(seeded)
    with seeded.begin() as session:
        model = session.scalars(select(Model).where(Model.name == SHORTCUT)).one()
        renamed = [f"once {name}" for name in model.card["classes"]]
        model.card = model.card | {"classes": renamed}
    seed.apply_pending(seeded)
    signed = counts(seeded)["verdicts"]
    assert 0 < signed < len(PLAN)


def test_a_site_without_demonstration_is_left_alone(workspace: Workspace) -> None:
    seed.apply_pending(workspace)
    assert counts(workspace)["verdicts"] == 0


def test_the_worker_has_the_verdicts_signed(seeded: Workspace) -> None:
    worker.run_once(
        seeded,
        "cpu",
        stopped=lambda: bool(counts(seeded)["verdicts"]),
        after_job=seed.apply_pending,
    )
    readers = {verdict.reader for verdict in sign.history(seeded, 1, by=OPERATOR)}
    assert readers <= set(READERS.values())
    with seeded.read() as session:
        assert session.get_one(Case, 1).status is CaseStatus.REVIEWED
        assert session.scalar(select(func.count()).select_from(Prediction)) == 1
