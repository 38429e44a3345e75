"""Export: the feedback as a dataset."""

import streamlit as st

from review.exporting import dataset, requests
from review.policy import Action
from ui import guard
from ui.errors import shown
from ui.panels.export import choose_filter, counts, exports
from ui.workspace import workspace

engineer = guard.require(Action.EXPORT)
ws = workspace()

st.title("Export", anchor=False)
st.caption(
    "The readers' feedback as a dataset: CSV, JSON Lines and Parquet with images and float maps. "
    "Every verdict on a chosen prediction is in it, superseded ones marked."
)
with st.container(border=True):
    chosen = choose_filter(by=engineer.id)
    found = dataset.preview(ws, chosen, by=engineer.id)
    counts(found)
    if st.button("Make export", type="primary", disabled=not found.n_predictions):
        with shown():
            requests.request(ws, chosen, by=engineer.id)
            st.rerun()
    if not found.n_predictions:
        st.caption("Nothing matches: widen the filter, or wait for the first verdict.")

st.subheader("Exports", anchor=False)
exports(by=engineer.id)
