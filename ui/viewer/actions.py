"""What the reader did: each action is done once, and answered."""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from review.access.accounts import AccountView
from review.cases import reading, worklist
from review.cases.worklist import WorklistQuery
from review.catalogue import PAIR
from review.errors import EXPECTED, AccessError, StaleCaseError, incident
from review.maps import again, checks, requests
from review.maps.recipes import Recipe
from review.verdicts import sign
from review.workspace import Workspace
from ui import guard
from ui.viewer import schema
from ui.viewer.desk import go_to, number

STATE = "reader_state"
WAITED_FOR = 1  # priority of an explanation that somebody sits in front of

Reply = dict[str, Any]

_log = logging.getLogger(__name__)


@dataclass
class Done:
    """The last action that was done for this browser tab, and the answer to it."""

    seq: int = 0
    reply: Reply | None = None


def last_done() -> Done:
    """Return the last action done for this browser tab."""
    done: Done = st.session_state.setdefault(STATE, Done())
    return done


def act(ws: Workspace, sent: Any) -> None:
    """Do an action of the reader, unless it was done before, and note the answer.

    Args:
        ws: The installation.
        sent: What the browser sent. Without a number nothing is done: no answer would be found.
    """
    done, seq = last_done(), schema.number_of(sent)
    if seq is None:
        _log.warning("an action without a number was left alone")
        return
    if seq <= done.seq:
        return
    try:
        reader = guard.signed_in()
        if reader is None:
            raise AccessError("Your session has ended; nothing was signed. Sign in and go on.")
        reply = {"ok": True, **_perform(ws, reader, schema.parse(sent))}
    except EXPECTED as exc:
        reply = {"ok": False, "words": sentence(str(exc))}
    except Exception as exc:
        number = incident(_log, "an action of a reader", exc)
        words = f"Something went wrong (incident {number}). Nothing was signed; try again."
        reply = {"ok": False, "words": words}
    # Not before: where the line breaks, Streamlit ends the run amid an action (by a BaseException),
    # which is not done then, and is asked for again.
    done.seq, done.reply = seq, reply


def _perform(ws: Workspace, reader: AccountView, action: schema.Action) -> Reply:
    match action:
        case schema.Verdict():
            return _sign(ws, reader, action)
        case schema.Withdraw():
            sign.withdraw(ws, reader.id, action.verdict_id, action.request_id)
            go_to(action.case_id, model_id=action.model_id)
        case schema.Open():
            go_to(action.case_id, model_id=action.model_id)
        case schema.Explain():
            _explain(ws, reader, action)
        case schema.OfMap(kind="again"):
            again.request(ws, action.explanation_id, by=reader.id, priority=WAITED_FOR)
        case schema.OfMap():
            checks.request(ws, action.explanation_id, by=reader.id, priority=WAITED_FOR)
        case schema.Job(kind="cancel"):
            requests.cancel(ws, action.job_id, by=reader.id)
        case schema.Job():
            requests.retry(ws, action.job_id, by=reader.id)
    return {}


def _sign(ws: Workspace, reader: AccountView, action: schema.Verdict) -> Reply:
    draft = action.draft
    schema.check_reader(action.reader_id, reader.id)
    if draft.case_id != number("case"):
        raise StaleCaseError(
            f"the verdict was given on case {draft.case_id}, but another case was open: "
            "nothing was signed; look at the case again and sign once more"
        )
    signed = sign.record(ws, reader.id, draft)
    _go_on(ws, reader, action.next_id)
    return {"verdict_id": signed.id}


def _go_on(ws: Workspace, reader: AccountView, case_id: int | None) -> None:
    """Go to the prediction that is read next on a case; None is the next unread case."""
    model_id = None
    if case_id is not None:
        query = WorklistQuery.from_params(st.query_params)
        preferred_id = number("model")
        model_id = worklist.unread_model(ws, reader.id, query, case_id, preferred_id=preferred_id)
    go_to(case_id, model_id=model_id)


def _explain(ws: Workspace, reader: AccountView, action: schema.Explain) -> None:
    """Open the maps of a class, by any methods, and ask for those that have not been made."""
    case_id, model_id, target = action.case_id, action.model_id, action.target
    methods = Recipe(methods=action.methods).methods
    recipe = _recipe(action)
    case = reading.open_case(
        ws,
        case_id,
        reader_id=reader.id,
        model_id=model_id,
        target=target,
        recipe=recipe,
        methods=methods,
    )
    go_to(case_id, model_id=model_id, target=target, recipe=recipe, methods=methods)
    predicted = case.prediction is None or target == case.prediction.target
    wanted = replace(recipe or Recipe(), target=None if predicted else target)
    for jobs_methods in _in_jobs(m for m, map_ in zip(methods, case.maps, strict=True) if not map_):
        requests.request(
            ws,
            case_id,
            model_id=model_id,
            recipe=replace(wanted, methods=jobs_methods),
            by=reader.id,
            priority=WAITED_FOR,
        )


def _recipe(action: schema.Explain) -> Recipe | None:
    if action.preset is None:
        return None
    return Recipe(action.preset, action.baseline, stepping=action.stepping)


def _in_jobs(missing: Iterable[str]) -> Iterator[tuple[str, ...]]:
    """Yield methods as jobs make them: the pair's together, any other alone."""
    wanted = set(missing)
    if wanted & set(PAIR):
        yield PAIR
    yield from ((method,) for method in sorted(wanted - set(PAIR)))


def sentence(text: str) -> str:
    """Return the words of an error as a sentence."""
    return f"{text[:1].upper()}{text[1:]}".removesuffix(".") + "."
