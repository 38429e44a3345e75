"""The parts of the export page: the filter, what it holds, and the exports made so far."""

from datetime import UTC, datetime, time, timedelta

import streamlit as st

from db.types import JobStatus, Opinion
from review.exporting import kept, requests
from review.exporting.dataset import ExportCounts, ExportFilter
from review.exporting.requests import ExportView
from review.policy import Action, Actor
from review.words import OPINION_NAMES
from ui import guard
from ui.errors import shown
from ui.workspace import workspace

OPINIONS = [opinion for opinion in Opinion if opinion is not Opinion.WITHDRAWN]
ACTIVE = (JobStatus.QUEUED, JobStatus.RUNNING)


def choose_filter(*, by: Actor) -> ExportFilter:
    """Draw the filter and return what was chosen."""
    models = requests.models(workspace(), by=by)
    left, middle, right = st.columns(3, gap="medium")
    with left:
        model_ids = st.multiselect(
            "Models", list(models), format_func=models.__getitem__, placeholder="All"
        )
        opinions = st.pills(
            "With a current verdict of",
            OPINIONS,
            selection_mode="multi",
            format_func=OPINION_NAMES.__getitem__,
        )
    with middle:
        since = st.date_input("Signed since", value=None, help="In UTC; empty means any time")
        until = st.date_input("Signed until", value=None, help="Inclusive, in UTC")
    with right:
        synthetic = st.toggle("Synthetic cases", value=True)
        unjudged = st.toggle("Predictions without a verdict", value=False)
        images = st.toggle("Images", value=True)
        maps = st.toggle("Float maps", value=True)
    return ExportFilter(
        model_ids=tuple(model_ids),
        opinions=tuple(opinions or ()),
        since=datetime.combine(since, time(), UTC) if since else None,
        until=datetime.combine(until + timedelta(days=1), time(), UTC) if until else None,
        synthetic=synthetic,
        unjudged=unjudged,
        images=images,
        maps=maps,
    )


def counts(found: ExportCounts) -> None:
    """Draw what the chosen filter holds."""
    figures = {
        "Cases": found.n_cases,
        "Predictions": found.n_predictions,
        "Verdicts": found.n_verdicts,
        "of which current": found.n_current_verdicts,
        "Explanations": found.n_explanations,
    }
    for column, (name, n) in zip(st.columns(len(figures)), figures.items(), strict=True):
        column.metric(name, f"{n:,}")


def exports(*, by: Actor) -> None:
    """Draw the exports made so far, refreshed by itself while one is being made."""
    made = requests.exports(workspace(), by=by)
    active = any(export.status in ACTIVE for export in made)
    st.fragment(_exports, run_every=1.0 if active else None)(active)


def _exports(was_active: bool) -> None:
    engineer = guard.require(Action.EXPORT)
    made = requests.exports(workspace(), by=engineer.id)
    if was_active and not any(export.status in ACTIVE for export in made):
        st.rerun()
    if not made:
        st.info("No export has been made yet.")
    for export in made:
        _export(export, by=engineer.id)


def _export(export: ExportView, *, by: Actor) -> None:
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.markdown(f"**Export {export.id}** · {export.created_at:%Y-%m-%d %H:%M} UTC")
        if export.status in ACTIVE:
            st.progress(export.fraction, text=export.stage or "Waiting for the worker")
            if st.button("Cancel", key=f"cancel_export_{export.id}"):
                with shown():
                    requests.cancel(workspace(), export.id, by=by)
                    st.rerun(scope="fragment")
        elif export.n_bytes is not None:
            st.markdown(f"{export.n_bytes / 1e6:,.1f} MB")
            if export.is_damaged:
                st.markdown(":red[Its file is damaged.] Remove it and make the export again.")
            else:
                address = f"/api/export/{export.id}"
                st.link_button("Download", address, icon=":material/download:", type="primary")
            _remove(export, by=by)
        else:
            removed = "Removed" if export.status is JobStatus.DONE else "Cancelled"
            st.markdown(export.error or removed)


def _remove(export: ExportView, *, by: Actor) -> None:
    """Draw what removes an export: a first click that asks, and a second that does."""
    with st.popover("Remove", icon=":material/delete:"):
        st.markdown(
            f"**Remove export {export.id} from this site?**  \nNobody can download it any more; "
            "it can be made again as the record then stands. That you removed it is recorded."
        )
        if st.button(f"Remove export {export.id}", key=f"remove_export_{export.id}"):
            with shown():
                kept.remove(workspace(), export.id, by=by)
                st.rerun()
