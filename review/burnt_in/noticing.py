"""What happens to a case once text is suspected in its picture: the site's choice."""

from enum import StrEnum

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from db import jobs
from db.selecting import batches
from db.tables import Case, Job, Setting, TextEvent, Verdict
from db.types import CaseStatus, JobKind, JobStatus, TextStep
from review.policy import Action, Actor, account_id, insist
from review.state.held import is_last, last_event
from review.workspace import Workspace

KEY = "burnt_in_text"
N_AT_ONCE = 100
OF_A_CASE = (JobKind.EXPLAIN, JobKind.CHECK)
UNDONE = (JobStatus.QUEUED, JobStatus.RUNNING)


class Choice(StrEnum):
    """What a site does with a picture in which text is suspected."""

    WARN = "warn"
    QUARANTINE = "quarantine"


def choice(ws: Workspace, *, by: Actor) -> Choice:
    """Return what the site does with a picture in which text is suspected."""
    with ws.read() as session:
        insist(session, by, Action.READ)
        return chosen(session)


def chosen(session: Session) -> Choice:
    """Return the site's choice; a warning where it has made none."""
    setting = session.get(Setting, KEY)
    return Choice(setting.value["choice"]) if setting else Choice.WARN


def choose(ws: Workspace, new: Choice, *, by: Actor) -> int:
    """Set what the site does from now on; return how many cases were held back by that.

    With a quarantine, so are the cases that were only warned of, nobody has looked at for text and
    nobody has judged. With a warning, those that are held back stay so until somebody has looked.
    """
    with ws.begin() as session:
        insist(session, by, Action.MANAGE_SETTINGS)
        session.merge(Setting(key=KEY, value={"choice": new.value}))
        noticed = session.scalars(
            select(TextEvent.case_id)
            .where(TextEvent.step == TextStep.NOTICED, is_last())
            .order_by(TextEvent.case_id)
        ).all()
    if new is not Choice.QUARANTINE:
        return 0
    n_held = 0
    for batch in batches(noticed, N_AT_ONCE):
        with ws.begin() as session:
            insist(session, by, Action.MANAGE_SETTINGS)
            cases = select(Case).where(Case.id.in_(batch)).order_by(Case.id).with_for_update()
            for case in session.scalars(cases):
                last = last_event(session, case.id)
                still = last is not None and last.step is TextStep.NOTICED
                if still and not was_judged(session, case.id):
                    hold(session, case, actor_id=account_id(by))
                    n_held += 1
    return n_held


def is_suspected(case: Case) -> bool:
    """Return whether text may stand in a case's picture, as far as is known."""
    known = case.acquisition.get("burnt_in_text")
    return isinstance(known, dict) and bool(known.get("suspected"))


def notice(session: Session, case: Case) -> None:
    """Do as the site chose with a case of which it was just found whether it shows text.

    A case that somebody has judged is not held back: what was signed stays as it was shown.
    """
    if not is_suspected(case):
        return
    if chosen(session) is Choice.QUARANTINE and not was_judged(session, case.id):
        hold(session, case, actor_id=None)
        return
    add_event(session, case, TextStep.NOTICED, actor_id=None)


def hold(session: Session, case: Case, *, actor_id: int | None) -> None:
    """Hold a case back: nothing more is made of it, and nobody reads it."""
    waiting = select(Job.id).where(
        Job.case_id == case.id, Job.kind.in_(OF_A_CASE), Job.status.in_(UNDONE)
    )
    for job_id in session.scalars(waiting).all():
        jobs.request_cancel(session, job_id)
    add_event(session, case, TextStep.HELD, actor_id=actor_id)
    case.status = CaseStatus.HELD
    session.flush()


def add_event(
    session: Session,
    case: Case,
    step: TextStep,
    *,
    actor_id: int | None,
    masks: list[list[int]] | None = None,
    removed: list[str] | None = None,
) -> TextEvent:
    """Record a step with a case; `image_sha256` is that of its picture as it now stands."""
    event = TextEvent(
        case_id=case.id,
        actor_id=actor_id,
        step=step,
        image_sha256=case.image_sha256,
        masks=masks or [],
        removed=removed or [],
    )
    session.add(event)
    session.flush()
    return event


def was_judged(session: Session, case_id: int) -> bool:
    """Return whether a verdict was ever signed on a case, withdrawn ones among them."""
    return bool(session.scalar(select(exists().where(Verdict.case_id == case_id))))
