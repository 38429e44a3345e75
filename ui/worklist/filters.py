"""The worklist's filters: what is chosen stands in the address, so that a list can be shared."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import streamlit as st

from db.types import CaseStatus
from review.access.accounts import AccountView
from review.cases.worklist import Choices, Sort, WorklistQuery
from review.state.flags import FLAG_NAMES

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
FIELDS = ("text", "status", "model_id", "label", "flag", "reader_id", "sort")
LISTED = "worklist_listed"


def chosen(choices: Choices, reader: AccountView) -> WorklistQuery:
    """Draw the filters and return what they say; another choice begins at the first page."""
    asked = _possible(WorklistQuery.from_params(st.query_params), choices, reader)
    # The address changed by itself (a link, the browser's Back), or the page is new: it decides.
    if st.session_state.get(LISTED) != asked or _key("text") not in st.session_state:
        _fill(asked)
    _draw(choices)
    query = replace(_read(reader), page=asked.page, study=st.session_state[_key("study")])
    return query if query == asked else replace(query, page=1)


def remember(query: WorklistQuery) -> None:
    """Put what is listed into the address."""
    st.session_state[LISTED] = query
    if dict(st.query_params) != query.to_params():
        st.query_params.from_dict(query.to_params())


def go_to(query: WorklistQuery) -> None:
    """List something else, as a link would."""
    st.query_params.from_dict(query.to_params())
    st.rerun()


def clear() -> None:
    """Forget every filter; the order stays."""
    _fill(WorklistQuery(sort=st.session_state[_key("sort")]))


def is_narrowed(query: WorklistQuery) -> bool:
    """Return whether a filter is set."""
    return replace(query, sort=Sort.OLDEST, page=1) != WorklistQuery()


def _possible(query: WorklistQuery, choices: Choices, reader: AccountView) -> WorklistQuery:
    """Leave out what the filters cannot show; "unread" means: by whoever opens the link."""
    return replace(
        query,
        model_id=query.model_id if query.model_id in choices.models else None,
        reader_id=query.reader_id if query.reader_id in choices.readers else None,
        label=query.label if query.label in choices.labels else None,
        unread_by=None if query.unread_by is None else reader.id,
    )


def _fill(query: WorklistQuery) -> None:
    for name in FIELDS:
        st.session_state[_key(name)] = getattr(query, name)
    st.session_state[_key("unread")] = query.unread_by is not None
    st.session_state[_key("study")] = query.study


def _read(reader: AccountView) -> WorklistQuery:
    fields = {name: st.session_state[_key(name)] for name in FIELDS}
    unread_by = reader.id if st.session_state[_key("unread")] else None
    return WorklistQuery(**fields, unread_by=unread_by)


def _draw(choices: Choices) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom", key="worklist-filters"):
        st.text_input(
            "Search",
            key=_key("text"),
            placeholder="Case number, finding, modality",
            icon=":material/search:",
            width=215,
        )
        _select("Status", "status", STATUS_NAMES)
        _select("Model", "model_id", choices.models)
        _select("Finding", "label", {label: label for label in choices.labels})
        _select("Flag", "flag", FLAG_NAMES)
        _select("Read by", "reader_id", choices.readers)
        _select("Order", "sort", SORT_NAMES, index=0, width=168)
        st.toggle("Unread by me", key=_key("unread"))


def _select(
    words: str,
    name: str,
    options: Mapping[Any, str],
    *,
    index: int | None = None,
    width: int = 144,
) -> None:
    st.selectbox(
        words,
        list(options),
        key=_key(name),
        index=index,
        format_func=lambda option: options.get(option, ""),
        placeholder="Any",
        width=width,
    )


def _key(name: str) -> str:
    return f"worklist_{name}"
