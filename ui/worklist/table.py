"""The table of cases: one component, told again of every case while some are being explained."""

import math
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import streamlit as st

from db.types import CaseStatus, Opinion
from review.access.accounts import AccountView
from review.cases import worklist
from review.cases.worklist import PAGE_SIZE, VerdictLine, WorklistPage, WorklistQuery, WorklistRow
from review.state.flags import FLAG_NAMES
from review.words import LATERALITY_NAMES, OPINION_NAMES
from review.workspace import Workspace
from ui import guard
from ui.navigation import go, link
from ui.worklist import filters

ACTIVE = (CaseStatus.QUEUED, CaseStatus.EXPLAINING)
REFRESH_SECONDS = 2.0
HERE = Path(__file__).parents[1] / "browser" / "worklist"
FLAGS = list(FLAG_NAMES)
SHORT_OPINIONS = {
    Opinion.ACCEPT: "Accept",
    Opinion.MODIFY: "Modify",
    Opinion.REJECT: "Reject",
    Opinion.CANNOT_ASSESS: "Cannot assess",
}

Json = dict[str, Any]

_component = st.components.v2.component(
    "second_look_worklist",
    css=(HERE / "table.css").read_text(),
    js=(HERE / "table.js").read_text(),
)


def draw(ws: Workspace, query: WorklistQuery, page: WorklistPage) -> None:
    """Draw one page of cases; it refreshes itself while one of them is being explained."""
    with st.container(horizontal=True, vertical_alignment="center"):
        counted = "1 case" if page.n_total == 1 else f"{page.n_total:,} cases"
        counted += f" of the study of case {query.study}" if query.study else ""
        st.markdown(counted, width="stretch")
        if filters.is_narrowed(query):
            _clear_button()
        if st.button("Read the next case", type="primary", icon=":material/play_arrow:"):
            _open(query)
    active = any(row.status in ACTIVE for row in page.rows)
    every = REFRESH_SECONDS if active else None
    st.fragment(_rows, run_every=every)(ws, query, was_active=active)
    if page.n_total > PAGE_SIZE:
        _pager(query, math.ceil(page.n_total / PAGE_SIZE))


def no_match() -> None:
    """Draw what to do when no case fulfils the filters."""
    with st.container(border=True, width=560):
        st.subheader("No case matches", anchor=False)
        st.markdown("No case fulfils all of these filters together.")
        _clear_button()


def no_cases() -> None:
    """Draw what to do when there is no case at all."""
    with st.container(border=True, width=560):
        st.subheader("No cases yet", anchor=False)
        st.markdown("Cases appear here as soon as images are uploaded.")
        link("upload", "Upload images", icon=":material/upload:")


def row_json(row: WorklistRow, reader: AccountView) -> Json:
    """Return a case in the words of the screen."""
    return {
        "id": row.case_id,
        "has_thumbnail": row.has_thumbnail,
        "facts": _facts(row),
        "study": _study(row),
        "status": row.status.value,
        "status_words": filters.STATUS_NAMES[row.status],
        "progress": row.progress,
        "stage": row.stage,
        "error": row.error if row.status is CaseStatus.FAILED else None,
        "predictions": [
            {"model": p.model, "version": p.version, "label": p.answer, "score": p.certainty}
            for p in row.predictions
        ],
        "flags": [FLAG_NAMES[flag] for flag in sorted(row.flags, key=FLAGS.index)],
        "verdicts": [*_together(row), *(_verdict(verdict, reader) for verdict in row.verdicts)],
        "received": row.created_at.isoformat(),
    }


def _rows(ws: Workspace, query: WorklistQuery, *, was_active: bool) -> None:
    reader = guard.require()
    page = worklist.search(ws, query, by=reader.id)
    if was_active and not any(row.status in ACTIVE for row in page.rows):
        st.rerun()
    drawn = _component(
        key="cases",
        data={
            "rows": [row_json(row, reader) for row in page.rows],
            "review": f"/review?{urlencode(query.to_params())}",
            "page": query.page,
            "now": datetime.now(UTC).isoformat(),
        },
        on_open_change=lambda: None,
        on_study_change=lambda: None,
    )
    if drawn.study is not None:
        filters.go_to(replace(query, study=drawn.study, page=1))
    if drawn.open is not None:
        _open(query, drawn.open)


def _pager(query: WorklistQuery, n_pages: int) -> None:
    # The address holds the page: a pager for each begins there, and keeps nothing of its own.
    key = f"worklist-page-{query.page}-of-{n_pages}"
    number = st.pagination(n_pages, default=query.page, key=key)
    if number != query.page:
        filters.remember(replace(query, page=number))
        st.rerun()


def _open(query: WorklistQuery, case_id: int | None = None) -> None:
    """Go to the review page, to the next unread case of the list if none is named."""
    case = {} if case_id is None else {"case": case_id}
    go("review", **query.to_params(), **case)


def _clear_button() -> None:
    st.button(
        "Clear filters", type="tertiary", icon=":material/filter_alt_off:", on_click=filters.clear
    )


def _facts(row: WorklistRow) -> list[str]:
    side, n = LATERALITY_NAMES.get(row.laterality or ""), row.standing.n_frames
    known = ("Synthetic" if row.synthetic else None, row.modality, side, row.view_position)
    return [fact for fact in known if fact] + ([f"{n} images"] if n > 1 else [])


def _study(row: WorklistRow) -> Json | None:
    """Return how many of its study a case has beside it, and where they are listed."""
    standing, listed = row.standing, WorklistQuery(study=row.case_id)
    if standing.n_cases == 1:
        return None
    words = f"{standing.number} of {standing.n_cases} in this study"
    return {"words": words, "href": f"/?{urlencode(listed.to_params())}"}


def _together(row: WorklistRow) -> list[Json]:
    """Return what the verdicts say together, as their first line."""
    if row.consensus is None:
        return []
    n, words = row.consensus.n_verdicts, str(row.consensus)
    by = "by 1 verdict" if n == 1 else f"by {n} verdicts"
    title = "\n".join(row.consensus.lines()) or words
    return [{"opinion": "together", "words": words, "by": by, "title": title}]


def _verdict(verdict: VerdictLine, reader: AccountView) -> Json:
    by = "you" if verdict.reader_id == reader.id else verdict.reader
    return {
        "opinion": verdict.opinion.value,
        "words": SHORT_OPINIONS[verdict.opinion],
        "by": f"{by} · {verdict.model}",
        "title": f"{OPINION_NAMES[verdict.opinion]}: {by}, on {verdict.model}",
    }
