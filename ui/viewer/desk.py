"""What lies open at the review page: the case in the address, its neighbours, its place."""

from typing import Any

import streamlit as st

from db.errors import NotFoundError
from review.access.accounts import AccountView
from review.cases import reading, worklist
from review.cases.reading import CaseView
from review.cases.worklist import Place, Unread, WorklistQuery
from review.catalogue import OFFERED, PAIR, PRESETS, Stepping
from review.errors import HeldError
from review.maps.recipes import Recipe, RecipeError
from review.policy import Action, may
from review.workspace import Workspace
from ui.viewer.payload import case_json
from xai_core.model.card import BASELINES

SIDES = ("left", "right")

Json = dict[str, Any]

_TO_WORKLIST = {"label": "To the worklist", "href": "/"}
ALL_READ: Json = {
    "title": "All read",
    "words": "You have given a verdict on every case of this list that is ready.",
    "links": [_TO_WORKLIST],
}
NO_CASES: Json = {
    "title": "No cases yet",
    "words": "Cases appear here as soon as images are uploaded and explained.",
    "links": [{"label": "Upload images", "href": "/upload"}, _TO_WORKLIST],
}


def on_desk(ws: Workspace, reader: AccountView) -> Json:
    """Return what the component shows for the page's address.

    An address without a case opens the reader's next unread one.
    """
    query = WorklistQuery.from_params(st.query_params)
    if "case" not in st.query_params:
        following = worklist.next_unread(ws, reader.id, query, preferred_id=number("model"))
        if following is None:
            listed = worklist.search(ws, query, by=reader.id).n_total
            return _nothing(reader, ALL_READ if listed else NO_CASES)
        st.query_params["case"] = str(following.case_id)
        st.query_params["model"] = str(following.model_id)
    case_id = number("case")
    try:
        return _open(ws, reader, query, case_id or 0)
    except NotFoundError:
        words = f"There is no case {st.query_params['case']}. It may belong to another site."
        return _nothing(reader, {"title": "Unknown case", "words": words, "links": [_TO_WORKLIST]})
    except HeldError as exc:
        words = f"{str(exc)[0].upper()}{str(exc)[1:]}."
        return _nothing(reader, {"title": "Held back", "words": words, "links": _ways_out(reader)})


def number(name: str) -> int | None:
    """Return a whole number from the page's address."""
    value = st.query_params.get(name, "")
    return int(value) if value.isascii() and value.isdigit() and len(value) < 10 else None


def asked_recipe() -> Recipe | None:
    """Return the preset, baseline and stepping in the page's address, if all make sense."""
    given = st.query_params
    try:
        stepping = Stepping(given.get("stepping", Stepping.FIXED))
        return Recipe(given["preset"], given["baseline"], stepping=stepping)
    except (KeyError, ValueError, RecipeError):
        return None


def asked_methods() -> tuple[str, str]:
    """Return whose maps the page's address puts left and right; the pair's where it does not."""
    left, right = (st.query_params.get(side, "") for side in SIDES)
    left = left if left in OFFERED else PAIR[0]
    right = right if right in OFFERED else PAIR[1]
    return (left, right) if left != right else (left, next(m for m in PAIR if m != left))


def go_to(
    case_id: int | None,
    *,
    model_id: int | None = None,
    target: int | None = None,
    recipe: Recipe | None = None,
    methods: tuple[str, ...] = PAIR,
) -> None:
    """Change the page's address; None as the case opens the next unread one."""
    given = {
        "case": case_id,
        "model": model_id or number("model"),
        "target": target,
        "preset": recipe.preset if recipe else None,
        "baseline": recipe.baseline if recipe else None,
        "stepping": recipe.stepping.value if recipe else None,
        **dict(zip(SIDES, methods if methods != PAIR else (None, None), strict=True)),
    }
    for name, value in given.items():
        if value is not None:
            st.query_params[name] = str(value)
        elif name in st.query_params:
            del st.query_params[name]


def _open(ws: Workspace, reader: AccountView, query: WorklistQuery, case_id: int) -> Json:
    model_id = number("model") or query.model_id
    case = reading.open_case(
        ws,
        case_id,
        reader_id=reader.id,
        model_id=model_id,
        target=number("target"),
        recipe=asked_recipe(),
        methods=asked_methods(),
    )
    place = worklist.place(ws, query, case_id, by=reader.id)
    cases = {str(case_id): case}
    for neighbour in {place.next_id, place.previous_id} - {None, case_id}:
        if neighbour is not None:
            cases[str(neighbour)] = reading.open_ahead(
                ws, neighbour, reader_id=reader.id, model_id=model_id
            )
    unread = worklist.next_unread(ws, reader.id, query, case_id, preferred_id=number("model"))
    unread_key = _add_unread(ws, reader, cases, unread) if unread else None
    return {
        "current": case_id,
        "cases": {key: case_json(each) for key, each in cases.items()},
        "classes": {
            str(p.model_id): list(p.classes) for each in cases.values() for p in each.predictions
        },
        "place": _place(place, unread, unread_key),
        "reader": _reader(reader),
        "recipes": {
            "presets": list(PRESETS),
            "steppings": [stepping.value for stepping in Stepping],
            "baselines": list(BASELINES),
        },
        "empty": None,
    }


def _add_unread(
    ws: Workspace, reader: AccountView, cases: dict[str, CaseView], unread: Unread
) -> str:
    """Have the next unread prediction ready among the cases; return its key there.

    A step to the same case may open another model's prediction: then both are ready.
    """
    key = str(unread.case_id)
    there = cases.get(key)
    if there and there.prediction and there.prediction.model_id == unread.model_id:
        return key
    key = f"{key}/{unread.model_id}" if there else key
    cases[key] = reading.open_ahead(
        ws, unread.case_id, reader_id=reader.id, model_id=unread.model_id
    )
    return key


def _ways_out(reader: AccountView) -> list[Json]:
    to_picture = {"label": "Look at it", "href": f"/text?case={number('case')}"}
    return [to_picture, _TO_WORKLIST] if may(reader, Action.CHECK_TEXT) else [_TO_WORKLIST]


def _nothing(reader: AccountView, empty: Json) -> Json:
    return {
        "current": None,
        "cases": {},
        "classes": {},
        "place": None,
        "reader": _reader(reader),
        "empty": empty,
    }


def _place(place: Place, unread: Unread | None, unread_key: str | None) -> Json:
    return {
        "position": place.position,
        "n_total": place.n_total,
        "previous_id": place.previous_id,
        "next_id": place.next_id,
        "next_unread_id": unread.case_id if unread else None,
        "next_unread_key": unread_key,
    }


def _reader(reader: AccountView) -> Json:
    return {"id": reader.id, "may_sign": may(reader, Action.SIGN)}
