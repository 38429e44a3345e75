"""When a verdict is complete and does not contradict itself."""

from collections.abc import Mapping
from dataclasses import dataclass

from db.types import Call, Exposure, Opinion, Plausibility, Reasoning
from review.errors import VerdictError
from review.state.reasons import REASONS, Of, keys_of
from review.typed import echo
from review.verdicts.draft import Side, VerdictDraft

REASON, CHANGE = "reason", "change"
NEEDS = {Opinion.REJECT: REASON, Opinion.MODIFY: CHANGE}
"""What an opinion does not stand without: a reason, or a class, box or comment."""

SAY_WRONG = ("wrong_finding", "missed_finding")
"""Reasons that no right answer has."""


@dataclass(frozen=True)
class Question:
    """What a verdict answers.

    Attributes:
        classes: Of the model that predicted.
        predicted: The class that it predicted, where exactly one is right.
        calls: What it calls each class, where each is asked for itself; else None.
        asked: The findings that the reader is asked about.
    """

    classes: tuple[str, ...]
    predicted: str
    calls: dict[str, Call] | None = None
    asked: tuple[str, ...] = ()


def check(draft: VerdictDraft, question: Question, *, width_px: int, height_px: int) -> None:
    """Refuse a verdict that is incomplete or contradicts itself.

    Args:
        draft: What the reader sent.
        question: What it answers.
        width_px: Width of the image.
        height_px: Height of the image.

    Raises:
        VerdictError: With what is missing, in words for the reader.
    """
    _check_classes(draft, question)
    _check_opinion(draft, question)
    _check_reasoning(draft)
    _check_exposure(draft)
    if not set(draft.plausibility) <= set(draft.explanation_ids):
        raise VerdictError("only explanations on the screen can be judged")
    for box in draft.boxes:
        _check_box(box, width_px, height_px)


def _check_classes(draft: VerdictDraft, question: Question) -> None:
    """Refuse classes that the model has not, or that are given in a form that it does not ask."""
    given = [*draft.findings, *([draft.corrected_label] if draft.corrected_label else [])]
    if unknown := [name for name in given if name not in question.classes]:
        raise VerdictError(f"{echo(unknown[0])} is not a class of this model")
    if draft.findings and question.calls is None:
        raise VerdictError("exactly one class of this model is right: give the right class instead")
    if draft.corrected_label is not None and question.calls is not None:
        raise VerdictError(
            "this model asks each finding for itself: say of each whether it is present"
        )


def _check_opinion(draft: VerdictDraft, question: Question) -> None:
    if draft.opinion is Opinion.WITHDRAWN:
        raise VerdictError("a verdict is withdrawn by undoing it")
    if unknown := set(draft.reasons) - REASONS.keys():
        raise VerdictError(f"unknown reason: {echo(min(unknown))}; allowed: {', '.join(REASONS)}")
    differing = {n for n, c in draft.findings.items() if c is not (question.calls or {}).get(n)}
    match draft.opinion:
        case Opinion.ACCEPT:
            _check_accepted(draft, question, differing)
        case Opinion.MODIFY:
            changed = draft.corrected_label or draft.boxes or draft.comment.strip()
            if not (changed or differing):
                raise VerdictError("say what is modified: a class, a finding, a box or a comment")
        case Opinion.REJECT:
            if draft.corrected_label == question.predicted:
                raise VerdictError(f"{draft.corrected_label} is what the model answers: accept it")
            of_answer = set(draft.reasons) & set(keys_of(Of.ANSWER))
            if not (of_answer or draft.corrected_label or differing):
                raise VerdictError(
                    "choose at least one reason against the answer, or say what is right"
                )
        case Opinion.CANNOT_ASSESS:
            if draft.findings or draft.corrected_label:
                raise VerdictError(
                    "who cannot assess the image says nothing of its findings: take them back"
                )


def _check_accepted(draft: VerdictDraft, question: Question, differing: set[str]) -> None:
    if draft.corrected_label:
        raise VerdictError(
            "an accepted prediction has no corrected class: accept with modification"
        )
    if wrong := next((key for key in draft.reasons if key in SAY_WRONG), None):
        raise VerdictError(
            f"an accepted answer is right, yet the reason says {REASONS[wrong].words!r}: "
            "take it back, or reject"
        )
    if missing := [name for name in question.asked if name not in draft.findings]:
        raise VerdictError(f"say whether {missing[0]} is present: it is asked about")
    for name in sorted(differing):
        call = draft.findings[name]
        if name in question.asked or call is not Call.INDETERMINATE:
            model = (question.calls or {})[name]
            raise VerdictError(
                f"{name} is called {model} by the model and {call} by you: accept with modification"
            )


def _check_reasoning(draft: VerdictDraft) -> None:
    given = [key for key in draft.reasons if key in keys_of(Of.REASONING)]
    if draft.reasoning is not Reasoning.UNSOUND:
        if given:
            raise VerdictError(
                f"{REASONS[given[0]].words!r} speaks against the reasoning: call it unsound"
            )
        return
    implausible = Plausibility.IMPLAUSIBLE in draft.plausibility.values()
    if not (given or implausible or draft.comment.strip()):
        raise VerdictError(
            "say why the reasoning is unsound: a reason, an implausible map or a comment"
        )


def _check_exposure(draft: VerdictDraft) -> None:
    """Refuse to have seen less than was on the screen, or was judged."""
    if draft.reasoning is not None and draft.exposure is not Exposure.EXPLANATION:
        raise VerdictError(
            "the reasoning was judged, yet no map was seen: show the maps, or take it back"
        )
    if draft.plausibility and draft.exposure is not Exposure.EXPLANATION:
        raise VerdictError(
            "a map was judged that was not seen: show the maps, or take the judgement back"
        )
    if draft.explanation_ids and draft.exposure is Exposure.IMAGE_ONLY:
        raise VerdictError("maps were on the screen, yet only the image is said to have been seen")


def _check_box(box: Mapping[Side, float], width_px: int, height_px: int) -> None:
    across = box["x"] >= 0 and box["width"] > 0 and box["x"] + box["width"] <= width_px
    down = box["y"] >= 0 and box["height"] > 0 and box["y"] + box["height"] <= height_px
    if not (across and down):
        raise VerdictError(f"a box lies outside the image of {width_px} x {height_px} px")
