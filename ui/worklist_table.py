"""The parts of the worklist page: filters bound to the address, and the table of cases."""

import math

import streamlit as st

from db.types import CaseStatus, TriageReason
from review import worklist
from review.words import OPINION_NAMES, TRIAGE_REASON_NAMES
from review.worklist import PAGE_SIZE, Choices, Sort, WorklistPage, WorklistQuery, WorklistRow
from review.workspace import Workspace
from ui.navigation import go, link

STATUS_NAMES = {
    CaseStatus.QUEUED: "Waiting",
    CaseStatus.EXPLAINING: "Being explained",
    CaseStatus.READY: "To read",
    CaseStatus.REVIEWED: "Read",
    CaseStatus.FAILED: "Failed",
}
SORT_NAMES = {
    Sort.OLDEST: "Oldest first",
    Sort.NEWEST: "Newest first",
    Sort.LEAST_CERTAIN: "Least certain first",
    Sort.MOST_CERTAIN: "Most certain first",
}
ACTIVE = (CaseStatus.QUEUED, CaseStatus.EXPLAINING)
REFRESH_SECONDS = 2.0
ROW_PX = 52


def choose_query(choices: Choices) -> WorklistQuery:
    """Draw the filters, bound to the address, and return what was chosen."""
    models = {name: id_ for id_, name in choices.models.items()}
    readers = {name: id_ for id_, name in choices.readers.items()}
    statuses = {name: status for status, name in STATUS_NAMES.items()}
    flags = {name: reason for reason, name in TRIAGE_REASON_NAMES.items()}
    sorts = {name: sort for sort, name in SORT_NAMES.items()}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        text = st.text_input(
            "Search",
            key="text",
            bind="query-params",
            placeholder="Case number, finding, modality",
            icon=":material/search:",
            width=240,
        )
        status = _select("Status", list(statuses), "status")
        model = _select("Model", list(models), "model")
        label = _select("Finding", list(choices.labels), "label")
        flag = _select("Flag", list(flags), "flag")
        read_by = _select("Read by", list(readers), "reader")
        order = st.selectbox("Order", list(sorts), key="sort", bind="query-params", width=170)
    query = WorklistQuery(
        text=text or "",
        status=statuses.get(status or ""),
        model_id=models.get(model or ""),
        label=label,
        flag=flags.get(flag or ""),
        reader_id=readers.get(read_by or ""),
        sort=sorts[order or SORT_NAMES[Sort.OLDEST]],
    )
    _first_page_of_another_query(query)
    return WorklistQuery(**{**vars(query), "page": st.session_state.get("page") or 1})


def table(ws: Workspace, query: WorklistQuery, page: WorklistPage, reader_id: int) -> None:
    """Draw the cases, refreshed by itself while one is being explained."""
    with st.container(horizontal=True, vertical_alignment="center"):
        shown = f"{page.n_total:,} cases" if page.n_total != 1 else "1 case"
        st.markdown(shown, width="stretch")
        if st.button("Read the next case", type="primary", icon=":material/play_arrow:"):
            following = worklist.next_unread(ws, reader_id, query)
            if following is not None:
                go("review", **{**query.to_params(), "case": following})
            st.toast("You have read every case of this list.")
    active = any(row.status in ACTIVE for row in page.rows)
    st.fragment(_table, run_every=REFRESH_SECONDS if active else None)(ws, query, active)
    if page.n_total > PAGE_SIZE:
        st.pagination(math.ceil(page.n_total / PAGE_SIZE), key="page", bind="query-params")


def nothing(query: WorklistQuery) -> None:
    """Draw what to do when there is no case, or none that matches."""
    if query.to_params():
        st.info("No case matches. Clear a filter to see more.", icon=":material/filter_alt_off:")
        return
    with st.container(border=True, width=560):
        st.subheader("No cases yet", anchor=False)
        st.markdown("Cases appear here as soon as images are uploaded and explained.")
        link("upload", "Upload images", icon=":material/upload:")


def _select(name: str, options: list[str], key: str) -> str | None:
    return st.selectbox(
        name, options, index=None, placeholder="Any", key=key, bind="query-params", width=150
    )


def _first_page_of_another_query(query: WorklistQuery) -> None:
    if st.session_state.setdefault("listed", query) != query:
        st.session_state["listed"] = query
        st.session_state["page"] = 1


def _table(ws: Workspace, query: WorklistQuery, was_active: bool) -> None:
    page = worklist.search(ws, query)
    if was_active and not any(row.status in ACTIVE for row in page.rows):
        st.rerun()
    chosen = st.dataframe(
        [_cells(row) for row in page.rows],
        key="cases",
        hide_index=True,
        row_height=ROW_PX,
        height=38 + ROW_PX * len(page.rows),
        on_select="rerun",
        selection_mode="single-cell",
        column_config={
            " ": st.column_config.ImageColumn(width=64),
            "Case": st.column_config.NumberColumn(width=70, format="%d"),
            "Finding": st.column_config.TextColumn(width="large"),
            "Progress": st.column_config.ProgressColumn(width=110, min_value=0.0, max_value=1.0),
            "Flags": st.column_config.ListColumn(width="medium"),
            "Received": st.column_config.DatetimeColumn(width=120, format="distance"),
        },
        column_order=_columns(page),
    )
    if cells := chosen["selection"]["cells"]:
        go("review", **{**query.to_params(), "case": page.rows[cells[0][0]].case_id})


def _columns(page: WorklistPage) -> list[str]:
    progress = ["Progress"] if any(row.status in ACTIVE for row in page.rows) else []
    return [" ", "Case", "Finding", "Status", *progress, "Flags", "Verdicts", "Kind", "Received"]


def _cells(row: WorklistRow) -> dict[str, object]:
    finding = " · ".join(f"{p.label} {p.score:.0%} ({p.model})" for p in row.predictions)
    return {
        " ": f"/api/thumbnail/{row.case_id}",
        "Case": row.case_id,
        "Finding": finding or row.error or "–",
        "Status": STATUS_NAMES[row.status],
        "Progress": row.progress,
        "Flags": [TRIAGE_REASON_NAMES[reason] for reason in _by_weight(row.flags)],
        "Verdicts": ", ".join(OPINION_NAMES[opinion] for opinion in row.opinions),
        "Kind": "Synthetic" if row.synthetic else row.modality or "Image",
        "Received": row.created_at,
    }


def _by_weight(flags: tuple[TriageReason, ...]) -> list[TriageReason]:
    return sorted(flags, key=list(TRIAGE_REASON_NAMES).index)
