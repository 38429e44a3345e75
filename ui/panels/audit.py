"""The parts of the audit page: filters, the table, the ways to older and newer lines."""

from collections.abc import Mapping
from datetime import date
from urllib.parse import urlencode

import streamlit as st

from db.types import AccessKind, AuditKind
from review.audit import retention
from review.audit.listing import AuditFilter, AuditPage, Cursor
from review.audit.telling import KIND_NAMES
from review.policy import OPERATOR, Actor
from review.workspace import Workspace
from ui.http.audit import PATH

NAMED = {name: kind for kind, name in KIND_NAMES.items()}
OPERATOR_ID = -1  # no account has it
LONGEST_ADDRESS = 45
# Where each page that was left for an older one began, the first not named; and of which filter.
PLACES, PLACES_OF = "audit_places", "audit_places_of"


def kept(ws: Workspace, *, by: Actor) -> None:
    """Say what is listed here, and for how long."""
    days = retention.days_kept(ws, by=by)
    long = "for ever" if days is None else f"for {days} day{'s' if days > 1 else ''}"
    st.caption(
        "Who signed in, opened a case, fetched its image and maps, took something out or was "
        "refused, and every change of accounts, settings and models. Verdicts stand with their "
        f"cases. Times are in UTC. Accesses are kept {long}; changes are never removed."
    )


def choose_filter(people: Mapping[int, str]) -> AuditFilter:
    """Draw the filters and return what was chosen."""
    who = {OPERATOR_ID: OPERATOR.capitalize(), **people}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        account_id = st.selectbox(
            "Who", list(who), index=None, format_func=who.__getitem__, placeholder="Anybody"
        )
        names = st.multiselect("What", list(NAMED), placeholder="Anything")
        case_id = st.number_input(
            "Case", min_value=1, max_value=2**31 - 1, value=None, placeholder="Any", width=130
        )
        address = st.text_input("Address", max_chars=LONGEST_ADDRESS, placeholder="Any", width=160)
        since = st.date_input("From", value=None, width=140)
        until = st.date_input("To", value=None, width=140)
        refused = st.toggle("Refused only")
    return AuditFilter(
        account_id=None if account_id == OPERATOR_ID else account_id,
        operator=account_id == OPERATOR_ID,
        kinds=_kinds(names),
        case_id=case_id,
        address=address.strip() or None,
        since=_day(since),
        until=_day(until),
        refused=refused,
    )


def place(wanted: AuditFilter) -> Cursor | None:
    """Return where the open page begins; another filter begins at the newest line."""
    if st.session_state.get(PLACES_OF) != wanted:
        st.session_state[PLACES_OF], st.session_state[PLACES] = wanted, []
    places: list[Cursor] = st.session_state[PLACES]
    return places[-1] if places else None


def table(found: AuditPage, wanted: AuditFilter) -> None:
    """Draw the lines of a page, or what to do where there is none."""
    if not found.lines:
        st.info("Nothing matches: widen the filters. What was let go is not found any more.")
        return
    rows = [
        {
            "Time (UTC)": f"{line.at:%Y-%m-%d %H:%M:%S}",
            "Who": line.who,
            "What": line.what,
            "Case": f"/review?case={line.case_id}" if line.case_id else None,
            "Details": line.details,
            "Address": line.address,
            "Session": line.session,
        }
        for line in found.lines
    ]
    st.dataframe(
        rows,
        hide_index=True,
        height=420,
        placeholder="",
        column_config={
            "Time (UTC)": st.column_config.TextColumn(width=140),
            "Who": st.column_config.TextColumn(width=170),
            "What": st.column_config.TextColumn(width=140),
            "Case": st.column_config.LinkColumn(width=60, display_text=r"case=(\d+)$"),
            "Details": st.column_config.TextColumn(width="large"),
            "Address": st.column_config.TextColumn(width=110),
            "Session": st.column_config.TextColumn(
                width=110, help="The beginning of the session's hash: the same in all it did"
            ),
        },
    )
    st.session_state["audit_download"] = f"{PATH}?{urlencode(wanted.to_params())}"


def pager(found: AuditPage) -> None:
    """Draw the ways to newer and older lines, and to the file of all of them."""
    places: list[Cursor] = st.session_state[PLACES]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("Newer", icon=":material/arrow_back:", disabled=not places, on_click=_to_newer)
        st.button(
            "Older",
            icon=":material/arrow_forward:",
            disabled=found.older is None,
            on_click=_to_older,
            args=(found.older,),
        )
        st.caption(f"Page {len(places) + 1}", width="content")
        address = st.session_state.get("audit_download")
        if found.lines and address:
            st.link_button("Download as CSV", address, icon=":material/download:")


def _to_newer() -> None:
    del st.session_state[PLACES][-1:]


def _to_older(older: Cursor) -> None:
    st.session_state[PLACES].append(older)


def _kinds(names: list[str]) -> tuple[AccessKind | AuditKind, ...]:
    return tuple(NAMED[name] for name in names)


def _day(chosen: object) -> date | None:
    return chosen if isinstance(chosen, date) else None
