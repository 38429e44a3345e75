"""Models: what explains the cases, what each is for, and where it fails."""

import streamlit as st

from review.models import registry
from review.policy import Action, may
from ui import guard
from ui.panels import model_proposal, models
from ui.workspace import workspace

engineer = guard.require(Action.MANAGE_MODELS)
ws = workspace()

st.title("Models", anchor=False)
st.caption("Every new case is explained with each active model. Cards say what their makers state.")
models.imported()
every = registry.list_models(ws, by=engineer.id)
if not every:
    st.info("No model yet. Import one below; new cases wait for it.")
for model in every:
    models.panel(ws, model, by=engineer.id)
if may(engineer, Action.MANAGE_SETTINGS):
    models.asked_form(ws, by=engineer.id)
models.import_form(ws, by=engineer.id)
if may(engineer, Action.PROPOSE_MODELS):
    model_proposal.form(ws, by=engineer.id)
