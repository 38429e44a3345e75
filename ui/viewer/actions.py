"""What the reader did: each action is done once, and answered."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from db.types import Exposure, Opinion, Plausibility
from review.access import sessions
from review.access.accounts import AccountView
from review.cases import reading, worklist
from review.cases.worklist import WorklistQuery
from review.catalogue import PAIR, Stepping
from review.errors import EXPECTED, AccessError, StaleCaseError, incident
from review.maps import checks, requests
from review.maps.recipes import Recipe
from review.verdicts import sign
from review.verdicts.draft import VerdictDraft
from review.workspace import Workspace
from ui import guard
from ui.viewer.desk import go_to, number

STATE = "reader_state"
WAITED_FOR = 1  # priority of an explanation that somebody sits in front of

Action = Mapping[str, Any]
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


def act(ws: Workspace, action: Action) -> None:
    """Do an action of the reader, unless it was done before, and note the answer."""
    done = last_done()
    if action["seq"] <= done.seq:
        return
    done.seq = action["seq"]
    try:
        reader = sessions.account_of(ws, guard.session_token())
        if reader is None:
            raise AccessError("Your session has ended; nothing was signed. Sign in and go on.")
        done.reply = {"ok": True, **_perform(ws, reader, action)}
    except EXPECTED as exc:
        done.reply = {"ok": False, "words": _sentence(str(exc))}
    except Exception as exc:
        number = incident(_log, "an action of a reader", exc)
        words = f"Something went wrong (incident {number}). Nothing was signed; try again."
        done.reply = {"ok": False, "words": words}


def _perform(ws: Workspace, reader: AccountView, action: Action) -> Reply:
    match action["kind"]:
        case "verdict":
            return _sign(ws, reader, action)
        case "withdraw":
            sign.withdraw(ws, reader.id, action["verdict_id"], action["request_id"])
            go_to(action["case_id"], model_id=action["model_id"])
        case "open":
            go_to(action["case_id"], model_id=action.get("model_id"))
        case "explain":
            _explain(ws, reader, action)
        case "check":
            checks.request(ws, action["explanation_id"], by=reader.id, priority=WAITED_FOR)
        case "cancel":
            requests.cancel(ws, action["job_id"], by=reader.id)
        case "retry":
            requests.retry(ws, action["job_id"], by=reader.id)
    return {}


def _sign(ws: Workspace, reader: AccountView, action: Action) -> Reply:
    if action["case_id"] != number("case"):
        raise StaleCaseError(
            f"the verdict was given on case {action['case_id']}, but another case was open: "
            "nothing was signed; look at the case again and sign once more"
        )
    draft = VerdictDraft(
        request_id=action["request_id"],
        case_id=action["case_id"],
        prediction_id=action["prediction_id"],
        opinion=Opinion(action["opinion"]),
        evidence_token=action["evidence_token"],
        explanation_ids=tuple(action["explanation_ids"]),
        reasons=tuple(action["reasons"]),
        corrected_label=action["corrected_label"],
        plausibility={int(k): Plausibility(v) for k, v in action["plausibility"].items()},
        comment=action["comment"],
        boxes=tuple(action["boxes"]),
        exposure=Exposure(action["exposure"]),
        active_seconds=float(action["active_seconds"]),
    )
    signed = sign.record(ws, reader.id, draft)
    _go_on(ws, reader, action["next_id"])
    return {"verdict_id": signed.id}


def _go_on(ws: Workspace, reader: AccountView, case_id: int | None) -> None:
    """Go to the prediction that is read next on a case; None is the next unread case."""
    model_id = None
    if case_id is not None:
        query = WorklistQuery.from_params(st.query_params)
        preferred_id = number("model")
        model_id = worklist.unread_model(ws, reader.id, query, case_id, preferred_id=preferred_id)
    go_to(case_id, model_id=model_id)


def _explain(ws: Workspace, reader: AccountView, action: Action) -> None:
    """Open the maps of a class, by any methods, and ask for those that have not been made."""
    case_id, model_id, target = action["case_id"], action["model_id"], action["target"]
    methods = Recipe(methods=tuple(action.get("methods", PAIR))).methods
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


def _recipe(action: Action) -> Recipe | None:
    if "preset" not in action:
        return None
    return Recipe(action["preset"], action["baseline"], stepping=Stepping(action["stepping"]))


def _in_jobs(missing: Iterable[str]) -> Iterator[tuple[str, ...]]:
    """Yield methods as jobs make them: the pair's together, any other alone."""
    wanted = set(missing)
    if wanted & set(PAIR):
        yield PAIR
    yield from ((method,) for method in sorted(wanted - set(PAIR)))


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}".removesuffix(".") + "."
