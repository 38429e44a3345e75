"""What the readers of a case say of each class, and which label follows.

A verdict says something of the classes that its reader judged, and of no other: a class that nobody
judged has no label. Of each reader the latest word on a class counts, whichever model's prediction
it was given on. Rows of hash versions 1 and 2, which judged the predicted class alone, are read as
they were meant.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, load_only

from db.selecting import batches
from db.tables import Model, Prediction, Verdict
from db.types import Call, Opinion, Reasoning
from db.verdicts import is_current
from review.state.answers import calls_of
from review.state.reasons import Of, keys_of
from xai_core.model.answer import NO_FINDING

SINCE_FINDINGS = 3  # the hash version from which on verdicts sign findings and reasoning
JUDGED = (Opinion.ACCEPT, Opinion.MODIFY, Opinion.REJECT)

Votes = dict[str, Call]


class Agreed(StrEnum):
    """What the readers together say of one class."""

    PRESENT = "present"
    ABSENT = "absent"
    INDETERMINATE = "indeterminate"
    DISAGREEMENT = "disagreement"


@dataclass(frozen=True)
class Judged:
    """A verdict, or one vote, with what it was given on.

    Attributes:
        reader_id: Whose.
        votes: What it says of each class that it judges.
        asks_each: The classes of the model where each is asked for itself; else empty.
    """

    reader_id: int
    votes: Votes
    asks_each: tuple[str, ...] = ()


@dataclass(frozen=True)
class Consensus:
    """What the current verdicts of a case say together.

    Attributes:
        findings: By class, in the order in which they were first judged.
        label: The one class that is present, or `NO_FINDING`; None where no one label follows.
        n_verdicts: How many verdicts there are.
    """

    findings: dict[str, Agreed] = field(default_factory=dict)
    label: str | None = None
    n_verdicts: int = 0

    def such(self, agreed: Agreed) -> tuple[str, ...]:
        """Return the classes of which this is said."""
        return tuple(name for name, said in self.findings.items() if said is agreed)

    def lines(self) -> tuple[str, ...]:
        """Return what is said class by class; those that are absent only where all are."""
        told = {name: said for name, said in self.findings.items() if said is not Agreed.ABSENT}
        return tuple(f"{name}: {said}" for name, said in (told or self.findings).items())

    def __str__(self) -> str:
        """Return it in words, as short as a table needs them."""
        if disputed := self.such(Agreed.DISAGREEMENT):
            return f"readers disagree on {_few(disputed)}"
        if self.label is not None:
            return self.label
        if present := self.such(Agreed.PRESENT):
            return _few(present)
        if unclear := self.such(Agreed.INDETERMINATE):
            return f"indeterminate: {_few(unclear)}"
        if absent := self.such(Agreed.ABSENT):
            return f"not {_few(absent)}"
        return "no label"


def reasoning_of(verdict: Any) -> Reasoning | None:
    """Return how a verdict judges the reason; None is no judgement."""
    if verdict.hash_version >= SINCE_FINDINGS:
        judged: Reasoning | None = verdict.reasoning
        return judged
    rejected = set(verdict.reasons) & set(keys_of(Of.REASONING))
    return Reasoning.UNSOUND if rejected else None


def votes_of(verdict: Any, prediction: Any, card: Mapping[str, Any]) -> Votes:
    """Return what a verdict says of each class that it judges.

    Args:
        verdict: Its row.
        prediction: The row that it judges.
        card: The model's, as its row holds it.
    """
    if verdict.opinion not in JUDGED:
        return {}
    calls = calls_of(prediction, card)
    if calls is None:
        return _of_class(verdict, prediction.label, card["classes"])
    if verdict.hash_version >= SINCE_FINDINGS:
        return {name: Call(call) for name, call in (verdict.findings or {}).items()}
    return _of_old_findings(verdict, prediction.label, calls)


def consensus(judged: Iterable[Judged]) -> Consensus:
    """Return what verdicts say together, the oldest first.

    A reader who finds a class indeterminate does not count while another says present or absent;
    one who cannot assess the image says nothing, and so takes nothing away.
    """
    every = list(judged)
    latest: dict[str, dict[int, Call]] = {}
    for one in every:
        for name, call in one.votes.items():
            latest.setdefault(name, {})[one.reader_id] = call
    findings = {name: _agreed(set(calls.values())) for name, calls in latest.items()}
    return Consensus(findings, _label(findings, every), len(every))


def of_case(session: Session, case_id: int) -> Consensus:
    """Return the consensus of one case."""
    return of_cases(session, [case_id])[case_id]


def of_cases(session: Session, case_ids: Sequence[int]) -> dict[int, Consensus]:
    """Return the consensus of all current verdicts of each case, of every model."""
    judged: dict[int, list[Judged]] = {case_id: [] for case_id in case_ids}
    for ids in batches(case_ids):
        found = session.execute(
            select(Verdict, Prediction, Model)
            .join(Prediction, Prediction.id == Verdict.prediction_id)
            .join(Model, Model.id == Prediction.model_id)
            .where(Verdict.case_id.in_(ids), is_current())
            .options(load_only(*_VERDICT), load_only(*_PREDICTION), load_only(Model.card))
            .order_by(Verdict.id)
        )
        for verdict, prediction, model in found:
            judged[verdict.case_id].append(read(verdict, prediction, model.card))
    return {case_id: consensus(on_it) for case_id, on_it in judged.items()}


def read(verdict: Any, prediction: Any, card: Mapping[str, Any]) -> Judged:
    """Return a verdict as `consensus` takes it; arguments as `votes_of`."""
    asks_each = tuple(calls_of(prediction, card) or ())
    return Judged(verdict.reader_id, votes_of(verdict, prediction, card), asks_each)


_VERDICT = (
    *(Verdict.case_id, Verdict.reader_id, Verdict.opinion, Verdict.reasons),
    *(Verdict.corrected_label, Verdict.findings, Verdict.hash_version),
)
_PREDICTION = (Prediction.label, Prediction.target, Prediction.scores)


def _of_class(verdict: Any, predicted: str, classes: Sequence[str]) -> Votes:
    """Read a verdict on a model of whose classes exactly one is right."""
    given: str | None = verdict.corrected_label
    if verdict.opinion is Opinion.REJECT and given is None:
        return {} if _rejects_reasoning_alone(verdict) else {predicted: Call.ABSENT}
    right = given or predicted
    return {name: Call.PRESENT if name == right else Call.ABSENT for name in classes}


def _of_old_findings(verdict: Any, predicted: str, calls: Mapping[str, Call]) -> Votes:
    """Read a verdict that judged all findings of a model at once."""
    present: Votes = {name: call for name, call in calls.items() if call is Call.PRESENT}
    votes: Votes
    if verdict.opinion is not Opinion.REJECT:
        votes = present or dict(calls)
    elif predicted in present and not _rejects_reasoning_alone(verdict):
        votes = {predicted: Call.ABSENT}
    else:
        votes = {}
    if verdict.corrected_label is not None:
        votes[verdict.corrected_label] = Call.PRESENT
    return votes


def _rejects_reasoning_alone(verdict: Any) -> bool:
    """Tell whether an answer was rejected for its reasoning, and so may be right."""
    reasons = set(verdict.reasons)
    of_reasoning = bool(reasons) and reasons <= set(keys_of(Of.REASONING))
    return of_reasoning and verdict.corrected_label is None


def _agreed(calls: set[Call]) -> Agreed:
    decided = calls - {Call.INDETERMINATE}
    if len(decided) > 1:
        return Agreed.DISAGREEMENT
    return Agreed(next(iter(decided or calls)).value)


def _label(findings: Mapping[str, Agreed], judged: Sequence[Judged]) -> str | None:
    said = set(findings.values())
    if Agreed.DISAGREEMENT in said:
        return None
    present = [name for name, agreed in findings.items() if agreed is Agreed.PRESENT]
    if present:
        return present[0] if len(present) == 1 else None
    asked_in_full = any(
        one.asks_each and all(findings.get(name) is Agreed.ABSENT for name in one.asks_each)
        for one in judged
    )
    return NO_FINDING if asked_in_full else None


def _few(names: Sequence[str], *, most: int = 3) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
