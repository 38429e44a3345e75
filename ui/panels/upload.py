"""The parts of the upload page: choosing files, and following what becomes of them."""

from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from db.types import JobStatus
from review.cases import batches
from review.cases.batches import Batch
from review.cases.intake import FileOutcome
from review.maps import requests
from review.maps.requests import JobView
from review.policy import Action
from review.words import LATERALITY_NAMES
from review.workspace import Workspace
from ui import errors, guard
from ui.words import as_it_is

HERE = Path(__file__).parents[1] / "browser" / "upload"
KEY = "upload"
FOLLOWED = "upload_followed"  # of this session: the batch that its page shows
REFRESH_SECONDS = 1.0
ROW_PX = 34
TABLE_PX = 640
ACTIVE = frozenset({JobStatus.QUEUED, JobStatus.RUNNING})
STOPPED = frozenset({JobStatus.FAILED, JobStatus.CANCELLED})
OUTCOMES = {"stored": "Stored", "duplicate": "Duplicate", "refused": "Refused"}
ACCEPTED = """
**What is accepted.** PNG, JPEG, TIFF, WebP, JPEG 2000, GIF, BMP and AVIF; DICOM, whatever the
file is called; NIfTI, NRRD and MetaImage; ZIP archives of these. Many files at once.

**What is a case.** An image by itself; the slices of one CT, MR or PET series together; the frames
of one file together. Of several, the middle one is shown and explained. Send a series at once.

**What happens.** Each file is looked at by its content, stored, and explained with every active
model. A file that cannot be read is refused with the reason and holds up none of the others; one
that is here already leads to its case.

**What is not kept.** Names, dates of birth and other identifiers in DICOM files are taken out
before anything is stored. Text burnt into the pixels stays: most of it is noticed and noted with
the case, not all of it, so look before you upload.
"""
NO_MODEL = (
    "No model is active, so nothing explains these cases yet. An engineer adds one under Models."
)


_component = st.components.v2.component(
    "second_look_upload",
    css=(HERE / "upload.css").read_text(),
    js=(HERE / "upload.js").read_text(),
)


def choose(batch: Batch | None) -> None:
    """Draw what files are chosen with, and sent by."""

    def heard() -> None:
        if isinstance(batch_id := st.session_state[KEY].batch, str):
            st.session_state[FOLLOWED] = batch_id

    followed = st.session_state.get(FOLLOWED) if batch else None
    data = {"batch": followed, "running": batch is not None and batch.running}
    _component(key=KEY, data=data, on_batch_change=heard)


def current(ws: Workspace, *, by: int) -> Batch | None:
    """Return the batch that this session follows: its own, or one that a reload left at work."""
    batch_id = st.session_state.get(FOLLOWED)
    found = batches.find(ws, batch_id, by=by) if batch_id else None
    return found or batches.at_work(ws, by=by)


def explain_what_is_accepted() -> None:
    """Draw the page's empty state."""
    with st.container(border=True, width=760):
        st.markdown(ACCEPTED)


def follow(ws: Workspace, batch: Batch, *, by: int) -> None:
    """Draw what has become of a batch, anew every second while anything moves."""
    moving = batch.running or any(_is_active(job) for job in _jobs(ws, batch, by=by))

    @st.fragment(run_every=REFRESH_SECONDS if moving else None)
    def panel() -> None:
        by = guard.require(Action.READ).id
        with errors.shown():
            jobs = _jobs(ws, batch, by=by)
            _storing(batch)
            if not batch.running:  # one bar at a time
                _explaining(ws, jobs, by=by)
            if batch.case_ids and not jobs:
                st.info(NO_MODEL, icon=":material/info:")
            _table(batch.outcomes, jobs)
            if moving and not batch.running and not any(_is_active(job) for job in jobs):
                st.rerun()

    panel()


def _jobs(ws: Workspace, batch: Batch, *, by: int) -> list[JobView]:
    case_ids = batch.case_ids
    return requests.progress(ws, by=by, case_ids=case_ids) if case_ids else []


def _is_active(job: JobView) -> bool:
    return job.status in ACTIVE


def _storing(batch: Batch) -> None:
    if batch.running and not batch.arriving:  # before that, the browser draws the bar
        files = "file" if batch.n_files == 1 else "files"
        with st.container(horizontal=True, vertical_alignment="center"):
            st.progress(
                min(1.0, batch.n_taken / max(1, batch.n_files)),
                text=f"Storing {batch.n_taken:,} of {batch.n_files:,} {files}",
            )
            if st.button("Stop storing", help="What is stored stays."):
                batch.cancel()
    if batch.stopped:
        words = f"Storing stopped after {len(batch.outcomes)} files. {as_it_is(batch.stopped)}"
        st.error(words, icon=":material/error:")
    counts = [
        f":{colour}-badge[{batch.count(kind)} {words}]"
        for kind, words, colour in (
            ("stored", "stored", "green"),
            ("duplicate", "already here", "gray"),
            ("refused", "refused", "red"),
        )
        if batch.count(kind)
    ]
    st.markdown(" ".join(counts))


def _explaining(ws: Workspace, jobs: Sequence[JobView], *, by: int) -> None:
    active = [job for job in jobs if _is_active(job)]
    if not active:
        _offer_again(ws, [job for job in jobs if job.status in STOPPED], by=by)
        return
    fraction = sum(1.0 if job not in active else job.fraction for job in jobs) / len(jobs)
    n_done = len(jobs) - len(active)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.progress(fraction, text=f"Explaining: {n_done} of {len(jobs)} done{_time_left(active)}")
        if st.button("Cancel", help="Stored cases stay; they can be explained later."):
            for job in active:
                requests.cancel(ws, job.id, by=by)


def _offer_again(ws: Workspace, stopped: Sequence[JobView], *, by: int) -> None:
    if stopped and st.button("Explain again", help="Those that failed or were cancelled."):
        for job in stopped:
            requests.retry(ws, job.id, by=by)
        st.rerun()


def _time_left(active: Sequence[JobView]) -> str:
    known = [job.seconds_left for job in active if job.seconds_left is not None]
    if not known:
        return ""
    minutes = sum(known) / len(known) * len(active) / 60
    return ", less than a minute left" if minutes < 1 else f", about {minutes:.0f} min left"


def _table(outcomes: Sequence[FileOutcome], jobs: Sequence[JobView]) -> None:
    by_case: dict[int, list[JobView]] = {}
    for job in jobs:
        by_case.setdefault(job.case_id, []).append(job)
    rows = [
        {
            "File": outcome.name,
            "Outcome": OUTCOMES[outcome.kind],
            "Case": f"/review?case={outcome.case_id}" if outcome.case_id else "",
            "Image": _image(outcome),
            "Explanation": _explanation(by_case.get(outcome.case_id or 0, [])),
            "Reason": outcome.reason,
            "Notes": "; ".join(note.words for note in outcome.notes),
        }
        for outcome in sorted(outcomes, key=lambda outcome: outcome.kind != "refused")
    ]
    if rows:
        st.dataframe(
            rows,
            hide_index=True,
            column_order=[name for name in rows[0] if any(row[name] for row in rows)],
            row_height=ROW_PX,
            height=min(ROW_PX * (len(rows) + 1) + 3, TABLE_PX),
            column_config={
                "File": st.column_config.TextColumn(width="medium"),
                "Outcome": st.column_config.TextColumn(width="small"),
                "Case": st.column_config.LinkColumn(width="small", display_text=r"case=(\d+)"),
                "Image": st.column_config.TextColumn(width="small"),
                "Explanation": st.column_config.TextColumn(width="medium"),
                "Reason": st.column_config.TextColumn(width="medium"),
                "Notes": st.column_config.TextColumn(width="medium"),
            },
        )


def _image(outcome: FileOutcome) -> str:
    """Return how an image was taken, in short."""
    taken = outcome.taken
    side = LATERALITY_NAMES.get(taken.get("laterality") or "")
    frames = f"{outcome.n_frames} images" if outcome.n_frames > 1 else None
    known = (taken.get("modality"), side, taken.get("view_position"), frames)
    return " · ".join(fact for fact in known if fact)


def _explanation(jobs: Sequence[JobView]) -> str:
    if failed := next((job for job in jobs if job.status == JobStatus.FAILED), None):
        return f"Failed: {failed.error}"
    if running := next((job for job in jobs if job.status == JobStatus.RUNNING), None):
        return f"{running.stage or 'Explaining'} · {running.fraction:.0%}"
    if any(job.status == JobStatus.QUEUED for job in jobs):
        return "Waiting"
    if any(job.status == JobStatus.CANCELLED for job in jobs):
        return "Cancelled"
    return "Ready" if jobs else ""
