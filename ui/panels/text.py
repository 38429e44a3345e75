"""The parts of the page of text in pictures: the site's choice, what waits, picture and boxes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st

from review.burnt_in import desk, noticing
from review.burnt_in.desk import TextCase
from review.burnt_in.noticing import Choice
from review.errors import ActionError
from review.workspace import Workspace
from ui.errors import shown

HERE = Path(__file__).parents[1] / "browser" / "text"
KEY = "masks"
CHOICES = {
    Choice.WARN: "Readers are warned",
    Choice.QUARANTINE: "Held back until somebody has looked",
}
CHOICE_HELP = (
    "Held back means: in no worklist, not explained, not exported. It also takes cases that were "
    "only warned of and that nobody has judged. Changing to a warning lets none of them pass."
)
NOTHING = "Nothing waits. Any case can be opened by its number, and masked until it is judged."
ROW_PX = 35
FIELDS = {"kind": str, "case_id": int, "image": str, "masks": list}

_component = st.components.v2.component(
    "second_look_masks",
    css=(HERE / "masks.css").read_text(),
    js=(HERE / "masks.js").read_text(),
)


def site_choice(ws: Workspace, *, by: int) -> None:
    """Draw what the site does with a picture in which text is suspected, for administrators."""
    now = noticing.choice(ws, by=by)
    chosen = st.segmented_control(
        "Pictures in which text is suspected",
        list(Choice),
        default=now,
        required=True,
        format_func=CHOICES.__getitem__,
        help=CHOICE_HELP,
        key=f"choice-{now}",
    )
    if chosen is not None and chosen != now:
        with shown():
            n_held = noticing.choose(ws, chosen, by=by)
            held = f" {n_held} cases are held back now." if n_held else ""
            st.session_state["text_said"] = f"{CHOICES[chosen]}.{held}"
            st.rerun()


def said() -> None:
    """Say once what was just done."""
    if words := st.session_state.pop("text_said", None):
        st.toast(words, icon=":material/check:")


def queue(ws: Workspace, *, by: int) -> int | None:
    """Draw what waits and a field for any case; return the case that is open, if any."""
    waiting = desk.waiting(ws, by=by)
    given = st.query_params.get("case", "")
    is_number = given.isascii() and given.isdigit() and len(given) < 10
    open_id = int(given) if is_number else next((w.case_id for w in waiting.cases), None)
    counted = "1 case waits" if waiting.n_total == 1 else f"{waiting.n_total:,} cases wait"
    st.markdown(counted if waiting.n_total else NOTHING)
    rows = [
        {"Case": w.case_id, "State": "Held back" if w.is_held else "Warned of", "Since": w.since}
        for w in waiting.cases
    ]

    def choose() -> None:
        if picked := st.session_state["text_rows"]["selection"]["rows"]:
            st.query_params["case"] = str(waiting.cases[picked[0]].case_id)

    def go() -> None:
        st.query_params["case"] = st.session_state["text_case"].strip()

    if rows:
        st.dataframe(
            rows,
            key="text_rows",
            hide_index=True,
            height=min(ROW_PX * (len(rows) + 1) + 3, 420),
            selection_mode="single-row",
            on_select=choose,
            column_config={"Since": st.column_config.DatetimeColumn(format="distance")},
        )
    st.text_input("Open case", key="text_case", placeholder="Case number", on_change=go)
    return open_id


def masks(ws: Workspace, case_id: int | None, *, by: int) -> None:
    """Draw a case's picture with its boxes, and do what is decided of it."""
    if case_id is None:
        return

    def heard() -> None:
        if action := st.session_state[KEY].act:
            st.session_state["text_action"] = action

    with shown():
        if action := st.session_state.pop("text_action", None):
            _act(ws, action, by=by)
        _component(key=KEY, data=case_json(desk.look(ws, case_id, by=by)), on_act_change=heard)


def case_json(case: TextCase) -> dict[str, Any]:
    """Return a case in the words of the screen."""
    proposed = case.proposed if case.is_open else ()
    return {
        "id": case.case_id,
        "image": case.image_sha256,
        "width": case.width_px,
        "height": case.height_px,
        "held": case.is_held,
        "open": case.is_open,
        "judged": case.is_judged,
        "why": list(case.why),
        "proposed": [grown(box) for box in proposed],
        "masks": [list(box) for box in case.masks],
    }


def grown(box: tuple[int, int, int, int]) -> list[int]:
    """Return a box with room around its letters: some at the ends of a row go unnoticed."""
    x, y, width, height = box
    letter = min(width, height)
    along, across = letter, max(2, letter // 3)
    right, down = (along, across) if width >= height else (across, along)
    return [x - right, y - down, width + 2 * right, height + 2 * down]


def _act(ws: Workspace, action: object, *, by: int) -> None:
    given = action if isinstance(action, Mapping) else {}
    if given.keys() != FIELDS.keys() or any(type(given[f]) is not FIELDS[f] for f in FIELDS):
        raise ActionError("the browser sent what this version does not know: reload the page")
    case_id, image = given["case_id"], given["image"]
    if given["kind"] == "release":
        desk.release(ws, case_id, image, by=by)
        done = f"Case {case_id} passes as it is."
    elif given["kind"] == "mask":
        desk.mask(ws, case_id, image, given["masks"], by=by)
        done = f"Case {case_id} is masked; the models look at it again."
    else:
        raise ActionError("the browser sent what this version does not know: reload the page")
    st.session_state["text_said"] = done
    st.query_params.pop("case", None)
    st.rerun()
