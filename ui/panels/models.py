"""The parts of the models page: one panel a model version, and the import form."""

from collections.abc import Iterator, Mapping

import streamlit as st

from review.maps import requests
from review.maps.recipes import DEFAULT_BASELINE
from review.models import registry
from review.models.registry import ModelView
from review.verdicts import asked
from review.workspace import Workspace
from ui.errors import shown
from ui.words import as_it_is
from xai_core.errors import CardError
from xai_core.model.answer import thresholds_of
from xai_core.model.card import ModelCard

MAX_CLASSES_IN_LINE = 12
UNSTATED = "Not stated."


def panel(ws: Workspace, model: ModelView, *, by: int) -> None:
    """Draw one model version: what it is for, where it fails, and what can be done with it."""
    with st.container(border=True):
        with st.container(
            horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"
        ):
            st.subheader(as_it_is(f"{model.name} {model.version}"), anchor=False)
            _switch(ws, model, by=by)
        if model.suspended:
            _suspended(ws, model, by=by)
        try:
            card = model.card
        except CardError as exc:
            _unreadable(exc)
        else:
            _stated(ws, model, card, by=by)


def asked_form(ws: Workspace, *, by: int) -> None:
    """Draw the form that chooses which findings readers are asked about, where models have any."""
    of_site = asked.site_list(ws, by=by)
    known = tuple(dict.fromkeys((*of_site, *asked.known(ws, by=by))))
    if not known:
        return
    with st.form("asked", clear_on_submit=False):
        st.subheader("Findings that readers are asked about", anchor=False)
        st.caption(
            "Of models that ask each class for itself. Left empty, readers are asked about what "
            "the model calls present, and about all its findings where it calls none. What was "
            "signed keeps what was asked then; a case that is open has to be looked at again."
        )
        chosen = st.multiselect(
            "Findings",
            known,
            default=of_site,
            placeholder="As the model says",
            max_selections=asked.MAX_ASKED,
        )
        submitted = st.form_submit_button("Save")
    if submitted:
        with shown():
            asked.choose(ws, chosen, by=by)
            st.session_state["asked_saved"] = True
            st.rerun()
    if st.session_state.pop("asked_saved", False):
        words = ", ".join(of_site) if of_site else "what each model says"
        st.success("Readers are asked about:", icon=":material/check:")
        st.text(words)


def import_form(ws: Workspace, *, by: int) -> None:
    """Draw the form that imports a model, and say what came of it."""
    with st.form("import", clear_on_submit=False):
        st.subheader("Import a model", anchor=False)
        st.caption(
            "A card in TOML or JSON, and its weights as safetensors or a PyTorch state dict. "
            "Nothing in these files is run. The model is tried once before it becomes active."
        )
        left, middle, right = st.columns(3)
        card = left.file_uploader("Card", type=None)
        weights = middle.file_uploader("Weights", type=None)
        golden = right.file_uploader("Golden image, if the card names one", type=None)
        submitted = st.form_submit_button("Import", type="primary")
    if not submitted:
        return
    if card is None or weights is None:
        st.error("Choose both files: the card and the weights.", icon=":material/error:")
        return
    with shown(), st.spinner("Trying the model"):
        picture = None if golden is None else golden.getvalue()
        model = registry.import_uploaded(ws, card.getvalue(), weights.getvalue(), picture, by=by)
        st.session_state["imported"] = (model.exact_name, model.notes)
        st.rerun()


def imported() -> None:
    """Say once which model was just imported, and what its import had to say."""
    if found := st.session_state.pop("imported", None):
        name, notes = found
        st.toast(f"{as_it_is(name)} is ready", icon=":material/check:")  # its form is far below
        st.success(f"{as_it_is(name)} is ready and explains new cases.", icon=":material/check:")
        for note in notes:
            st.info(f"{as_it_is(note[:1].upper() + note[1:])}.", icon=":material/info:")


def _switch(ws: Workspace, model: ModelView, *, by: int) -> None:
    active = st.toggle(
        "Active",
        value=model.active,
        key=f"active-{model.id}-{model.active}",
        help="Active models explain every new case. What a model has predicted stays.",
    )
    if active != model.active:
        with shown():
            registry.set_active(ws, model.id, active=active, by=by)
            st.rerun()


def _suspended(ws: Workspace, model: ModelView, *, by: int) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.warning(
            f"Suspended: {model.suspended}. What is asked of it waits; nothing else does.",
            icon=":material/warning:",
        )
        if st.button("Let it go on", key=f"resume-{model.id}"):
            with shown():
                registry.resume(ws, model.id, by=by)
                st.rerun()


def _unreadable(exc: CardError) -> None:
    st.error(
        f"Its card on record cannot be read: {as_it_is(str(exc))}. It explains no case; what it "
        "has predicted stays. Import it again with a whole card, under another version.",
        icon=":material/error:",
    )


def _stated(ws: Workspace, model: ModelView, card: ModelCard, *, by: int) -> None:
    if card.synthetic:
        st.markdown(":gray-badge[Trained on synthetic images]")
    stated, measured = st.columns([3, 2], gap="large")
    with stated:
        _text("Intended use", card.intended_use)
        _text("Limits", card.limits)
        _classes(card)
    with measured:
        _evaluation(card.evaluation)
        _work(ws, model, by=by)
    st.caption(f"{_facts(model)}  \nweights sha256 `{card.weights_sha256}`")


def _text(title: str, text: str) -> None:
    with st.container(gap=None):
        st.markdown(f"**{title}**")
        st.text(text or UNSTATED)


def _classes(card: ModelCard) -> None:
    title, names = "Classes, of which exactly one is right", ", ".join(card.classes)
    if (thresholds := thresholds_of(vars(card))) is not None:
        title = "Findings, each with the score from which it is present"
        limits = zip(card.classes, thresholds, strict=True)
        names = ", ".join(f"{name} {limit:g}" for name, limit in limits)
    if len(card.classes) <= MAX_CLASSES_IN_LINE:
        _text(title, names)
        return
    with st.expander(f"{len(card.classes):,} classes"):
        st.caption(title)
        st.text(names)


def _evaluation(evaluation: Mapping[str, object]) -> None:
    rows = [{"Measure": name, "Value": value} for name, value in _flat(evaluation)]
    if not rows:
        _text("Evaluation", UNSTATED)
        return
    st.markdown("**Evaluation**")
    st.dataframe(rows, hide_index=True)


def _flat(table: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield the entries of nested tables as names and values in words."""
    for key, value in table.items():
        name = f"{prefix}{key.replace('_', ' ')}"
        if isinstance(value, Mapping):
            yield from _flat(value, f"{name}, ")
        else:
            yield name, f"{value:.3g}" if isinstance(value, float) else str(value)


def _work(ws: Workspace, model: ModelView, *, by: int) -> None:
    waiting = f", {model.n_waiting:,} waiting" if model.n_waiting else ""
    st.markdown(f"**Cases**  \n{model.n_cases:,} predicted{waiting}")
    if model.n_other_cases > model.n_waiting and st.button(
        f"Explain {model.n_other_cases:,} other cases",
        key=f"explain-{model.id}",
        help="Asks for prediction and maps of every case that this model has not predicted.",
    ):
        with shown(), st.spinner("Asking for explanations"):
            requests.request_all(ws, model.id, by=by)
            st.rerun()


def _facts(model: ModelView) -> str:
    card, wanted = model.card, model.card.preprocessing
    size = wanted.input_size
    taken = f"{size[1]} x {size[0]} px" if size else "any size"
    colours = "grey" if wanted.channels == 1 else "RGB"
    return (
        f"{card.architecture} · {card.scores} · {taken}, {colours} · "
        f"{card.baseline or DEFAULT_BASELINE} baseline · {model.n_bytes / 1e6:,.1f} MB · "
        f"imported {model.created_at:%Y-%m-%d}"
    )
