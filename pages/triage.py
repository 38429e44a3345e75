"""Triage: what needs an engineer, and why."""

import math

import streamlit as st

from review.policy import Action
from review.state.flags import FLAG_NAMES
from review.triage import queue
from review.triage.model_summary import model_summaries
from review.triage.queue import TriageFilter, TriageState
from ui import guard
from ui.panels.triage import case_panel, models_at_a_glance, queue_table
from ui.words import HELP_NOT_EVIDENCE
from ui.workspace import workspace

STATES = {"Open": TriageState.OPEN, "Closed": TriageState.CLOSED, "All": TriageState.ALL}
REASONS = {name: reason for reason, name in FLAG_NAMES.items()}

engineer = guard.require(Action.SEE_TRIAGE)
ws = workspace()

st.title("Triage", anchor=False)
st.caption(f"Predictions that need an engineer, and why. {HELP_NOT_EVIDENCE}")

summaries = model_summaries(ws, by=engineer.id)
if not summaries:
    st.info("No case has been predicted yet. Flags appear here once cases are explained.")
    st.stop()
models_at_a_glance(summaries)

with st.container(horizontal=True, vertical_alignment="bottom"):
    state = st.segmented_control(
        "State", list(STATES), default="Open", required=True, key="state", bind="query-params"
    )
    model = st.selectbox(
        "Model",
        [summary.model for summary in summaries],
        index=None,
        placeholder="Any",
        key="model",
        bind="query-params",
        width=260,
    )
    mine = st.toggle("Assigned to me", key="mine", bind="query-params")
reason_name = st.pills(
    "Reason", list(REASONS), key="reason", bind="query-params", label_visibility="collapsed"
)

wanted = TriageFilter(
    state=STATES[state or "Open"],
    reason=REASONS.get(reason_name or ""),
    model_id=next((s.model_id for s in summaries if s.model == model), None),
    assignee_id=engineer.id if mine else None,
    page=st.session_state.get("page", 1),
)
page = queue.queue(ws, wanted, by=engineer.id)
listing, panel = st.columns([3, 2], gap="medium")
with listing:
    counts = " · ".join(f"{FLAG_NAMES[r]} {n}" for r, n in page.n_by_reason.items())
    st.caption(f"{page.n_total} cases. {counts}")
    if page.items:
        queue_table(page)
    else:
        st.info("No case matches. Change the filters above, or enjoy the quiet.")
    if page.n_total > queue.PAGE_SIZE:
        st.pagination(math.ceil(page.n_total / queue.PAGE_SIZE), key="page", bind="query-params")
with panel:
    chosen = st.query_params.get("case", "")
    item = queue.find(ws, int(chosen), by=engineer.id) if chosen.isdigit() else None
    if item:
        case_panel(item, engineer)
    elif chosen:
        st.info(f"Case {chosen} has no flag.")
    else:
        st.info("Choose a case to see why it was flagged and to handle it.")
