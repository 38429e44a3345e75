"""The parts of the triage page: the models at a glance, the queue, and one case's panel."""

from collections.abc import Iterator

import streamlit as st

from db.types import Call, Disposition, Opinion, TriageReason
from review.access.accounts import AccountView
from review.state.flags import FLAG_NAMES
from review.state.reasons import REASONS
from review.triage import queue
from review.triage.model_summary import ModelSummary
from review.triage.queue import TriageItem, TriagePage
from review.verdicts import sign
from review.verdicts.sign import VerdictView
from review.words import (
    CALL_NAMES,
    DISPOSITION_NAMES,
    OPINION_NAMES,
    REASONING_NAMES,
    TRIAGE_ACTION_NAMES,
)
from ui.errors import shown
from ui.navigation import link
from ui.words import as_it_is
from ui.workspace import workspace

GLANCE_REASONS = (
    TriageReason.CORNER_ATTRIBUTION,
    TriageReason.REJECTED,
    TriageReason.UNSOUND_REASONING,
    TriageReason.IMPLAUSIBLE_EXPLANATION,
    TriageReason.MAPS_DISAGREE,
    TriageReason.LOW_CONFIDENCE,
)


def models_at_a_glance(summaries: tuple[ModelSummary, ...]) -> None:
    """Draw one row a model version, with how often it was accepted and why it was flagged."""
    rows = [
        {
            "Model": summary.model,
            "Predictions": summary.n_predictions,
            "Judged": summary.n_judged,
            "Accepted": 100 * summary.n_accepted / summary.n_judged if summary.n_judged else None,
        }
        | {FLAG_NAMES[r]: summary.n_flags.get(r, 0) for r in GLANCE_REASONS}
        for summary in summaries
    ]
    accepted = st.column_config.ProgressColumn(
        help="Share of judged predictions that every reader accepted",
        format="%.0f %%",
        min_value=0.0,
        max_value=100.0,
    )
    st.dataframe(rows, hide_index=True, placeholder="–", column_config={"Accepted": accepted})


def queue_table(page: TriagePage) -> None:
    """Draw the queue; choosing a row puts its case into the address."""
    rows = [
        {
            "Case": item.case_id,
            "Why": " · ".join(_reasons(item)),
            "Readers say": str(item.consensus) if item.consensus.n_verdicts else "–",
            "Assigned to": item.assignee or "–",
            "Flagged": item.flagged_at,
            "State": "Open" if item.is_open else _closed_as(item.disposition),
        }
        for item in page.items
    ]

    def choose() -> None:
        chosen = st.session_state["triage_rows"]["selection"]["rows"]
        if chosen:
            st.query_params["case"] = str(page.items[chosen[0]].case_id)

    st.dataframe(
        rows,
        key="triage_rows",
        hide_index=True,
        height=min(36 + 35 * len(rows) + 2, 620),
        selection_mode="single-row",
        on_select=choose,
        column_config={
            "Case": st.column_config.NumberColumn(width=60, format="%d"),
            "Why": st.column_config.TextColumn(width="medium"),
            "Flagged": st.column_config.DatetimeColumn(format="distance"),
        },
    )


def case_panel(item: TriageItem, engineer: AccountView) -> None:
    """Draw why a case was flagged, what was done about it, and what can be done next."""
    with st.container(border=True):
        picture, text = st.columns([1, 2], vertical_alignment="top")
        picture.html(
            f'<img src="/api/thumbnail/{item.case_id}" alt="Case {item.case_id}" '
            'style="width:100%;border-radius:4px;background:#000">'
        )
        with text:
            st.subheader(f"Case {item.case_id}", anchor=False)
            if item.synthetic:
                st.caption("Synthetic phantom")
            link("review", "Open with its maps", icon=":material/visibility:", case=item.case_id)
        _together(item)
        for flag in item.flags:
            st.markdown(
                f"**{FLAG_NAMES[flag.reason]}** · {as_it_is(flag.model)}  \n{as_it_is(flag.detail)}"
            )
        _verdicts(item.case_id, engineer)
        _history(item.case_id, engineer)
        _actions(item, engineer)


def _together(item: TriageItem) -> None:
    """Say what the readers say together, and of each class."""
    if not item.consensus.n_verdicts:
        st.caption("No reader has judged this case yet.")
        return
    st.markdown("**Readers say**")
    st.text("\n".join(dict.fromkeys((str(item.consensus), *item.consensus.lines()))))


def _reasons(item: TriageItem) -> list[str]:
    return list(dict.fromkeys(FLAG_NAMES[flag.reason] for flag in item.flags))


def _closed_as(disposition: Disposition | None) -> str:
    return DISPOSITION_NAMES[disposition] if disposition else "Closed"


def _verdicts(case_id: int, engineer: AccountView) -> None:
    for verdict in sign.history(workspace(), case_id, by=engineer.id):
        st.caption(
            f"{verdict.created_at:%Y-%m-%d %H:%M} UTC · {as_it_is(verdict.reader)} · "
            f"{' · '.join(as_it_is(words) for words in _said(verdict))}"
        )
        if verdict.comment:
            st.text(verdict.comment)


def _said(verdict: VerdictView) -> Iterator[str]:
    """Yield what a verdict says, and what is to be known of it, in words."""
    yield OPINION_NAMES[verdict.opinion]
    if verdict.corrected_label:
        yield verdict.corrected_label
    for name, call in verdict.findings.items():
        if call is not Call.ABSENT:
            yield f"{name} {CALL_NAMES[call].lower()}"
    for reason in verdict.reasons:
        yield REASONS[reason].words.lower()
    if verdict.reasoning:
        yield f"reason {REASONING_NAMES[verdict.reasoning].lower()}"
    if not verdict.current and verdict.opinion is not Opinion.WITHDRAWN:
        yield "superseded"
    if verdict.unblinded:
        yield "others' verdicts were open to this reader"
    if verdict.by_link_of:
        yield f"signed after coming by a link of {verdict.by_link_of}"


def _history(case_id: int, engineer: AccountView) -> None:
    steps = queue.history(workspace(), case_id, by=engineer.id)
    if not steps:
        st.caption("Nobody has handled this case yet.")
    for step in steps:
        what = TRIAGE_ACTION_NAMES[step.action]
        if step.assignee:
            what += f" to {as_it_is(step.assignee)}"
        if step.disposition:
            what += f": {DISPOSITION_NAMES[step.disposition]}"
        st.caption(f"{step.created_at:%Y-%m-%d %H:%M} UTC · {as_it_is(step.actor)} · {what}")
        if step.comment:
            st.text(step.comment)


def _actions(item: TriageItem, engineer: AccountView) -> None:
    ws, case_id = workspace(), item.case_id
    engineers = {e.id: e.name for e in queue.engineers(ws, by=engineer.id)}
    with st.form(f"assign_{case_id}", border=False):
        to = st.selectbox(
            "Assign to",
            list(engineers),
            index=list(engineers).index(engineer.id) if engineer.id in engineers else 0,
            format_func=engineers.__getitem__,
        )
        if st.form_submit_button("Assign", icon=":material/person_add:"):
            with shown():
                queue.assign(ws, case_id, actor_id=engineer.id, assignee_id=to)
                st.rerun()
    with st.form(f"handle_{case_id}", border=False, clear_on_submit=True):
        text = st.text_area("Comment", max_chars=queue.MAX_COMMENT, height=90)
        dispositions = list(Disposition)
        disposition = st.selectbox(
            "Close as",
            dispositions,
            format_func=DISPOSITION_NAMES.__getitem__,
            disabled=not item.is_open,
        )
        with st.container(horizontal=True):
            commented = st.form_submit_button("Comment", icon=":material/comment:")
            turned = st.form_submit_button(
                "Close case" if item.is_open else "Reopen case", type="primary"
            )
        with shown():
            if commented:
                queue.comment(ws, case_id, actor_id=engineer.id, text=text)
                st.rerun()
            if turned and item.is_open:
                queue.close(ws, case_id, actor_id=engineer.id, disposition=disposition, text=text)
                st.rerun()
            if turned:
                queue.reopen(ws, case_id, actor_id=engineer.id, text=text)
                st.rerun()
