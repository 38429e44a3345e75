"""The form that reads a checkpoint, proposes its card and imports it once a person filled it in."""

import json
from hashlib import sha256
from typing import Any

import streamlit as st

from review.models import proposals, registry
from review.models.proposals import CONFIGS, Proposal
from review.workspace import Workspace
from ui.errors import shown
from ui.words import as_it_is

KEPT = "proposed_card"
SCORES = {
    "softmax": "Exactly one class is right",
    "sigmoid": "Each class is a finding of its own",
}


def form(ws: Workspace, *, by: int) -> None:
    """Draw the form: first the files, then, once they are read, the card to fill in."""
    with st.container(border=True):
        st.subheader("Write a card for a checkpoint", anchor=False)
        st.caption(
            "Reads the names and shapes of the weights, in a process that can reach nothing else, "
            "and proposes the card. What no file says is left to you."
        )
        left, right = st.columns(2)
        weights = left.file_uploader("Checkpoint", type=None)
        beside = right.file_uploader(
            f"{' and '.join(CONFIGS)}, if there",
            type=["json"],
            accept_multiple_files=True,
            help="transformers and timm save them beside the weights.",
        )
        if weights is None:
            st.session_state.pop(KEPT, None)
            return
        data = weights.getvalue()
        digest = sha256(data).hexdigest()
        if st.button("Read the checkpoint"):
            st.session_state.pop(KEPT, None)
            with shown(), st.spinner("Reading the weights and trying architectures"):
                configs = {file.name: file.getvalue() for file in beside}
                found = proposals.propose(ws, data, configs, by=by)
                st.session_state[KEPT] = (digest, found)
        read_sha256, found = st.session_state.get(KEPT, ("", ()))
        if read_sha256 == digest:
            _card(ws, found, weights.name, data, by=by)


def _card(
    ws: Workspace, found: tuple[Proposal, ...], name: str, weights: bytes, *, by: int
) -> None:
    names = [proposal.architecture for proposal in found]
    chosen = found[names.index(st.selectbox("Architecture, the likeliest first", names))]
    colours = "RGB" if chosen.channels == 3 else "grey"
    st.markdown(f"Every weight fits: **{chosen.n_classes:,} classes**, input in **{colours}**.")
    for note in chosen.notes:
        st.info(f"{as_it_is(note[:1].upper() + note[1:])}.", icon=":material/info:")
    card = chosen.card(name, weights)
    with st.form(f"propose-{chosen.architecture}", clear_on_submit=False):
        card |= _stated(chosen, card)
        golden = _golden(card)
        submitted = st.form_submit_button("Import", type="primary")
    if submitted:
        with shown(), st.status("Importing", expanded=True) as progress:
            data = None if golden is None else golden.getvalue()
            text = json.dumps(_without_empty(card)).encode()
            try:
                model = registry.import_uploaded(
                    ws, text, weights, data, by=by, progress=lambda words: _tell(progress, words)
                )
            except Exception:
                progress.update(label="Not imported", state="error")
                raise
            st.session_state["imported"] = (model.exact_name, model.notes)
            st.session_state.pop(KEPT, None)
            st.rerun()


def _tell(progress: Any, words: str) -> None:
    progress.update(label=words)


def _stated(chosen: Proposal, card: dict[str, Any]) -> dict[str, Any]:
    """Draw what a person states; return it as the card's keys."""
    left, right = st.columns(2)
    said: dict[str, Any] = {
        "name": left.text_input("Name", card["name"]),
        "version": right.text_input("Version", card["version"]),
    }
    if len(chosen.prefixes) > 1:
        said["weights_prefix"] = st.radio(
            "Which model of the file",
            chosen.prefixes,
            index=None,
            format_func=lambda prefix: prefix or "(names without a beginning)",
        )
    lines = left.text_area(
        f"Names of the {chosen.n_classes:,} classes, one a line",
        "\n".join(chosen.classes),
        help="In the order of the outputs. Left empty, they are numbered from 0.",
    ).splitlines()
    named = [line.strip() for line in lines if line.strip()]
    said["classes"] = named or chosen.n_classes
    said["scores"] = right.radio(
        "Classes",
        list(SCORES),
        format_func=SCORES.__getitem__,
        index=list(SCORES).index(chosen.scores) if chosen.scores else None,
    )
    limits = right.text_input(
        "Thresholds, with commas",
        ", ".join(f"{limit:g}" for limit in chosen.thresholds),
        help="Of findings alone: from which score each is present. Left empty, 0.5 for each.",
    )
    said["thresholds"] = _parsed(f"[{limits}]")
    said["intended_use"] = st.text_area("Intended use", height=68)
    said["limits"] = st.text_area("Limits", height=68)
    said["preprocessing"] = _preprocessing(chosen.preprocessing)
    return said


def _preprocessing(known: dict[str, Any]) -> dict[str, Any]:
    st.markdown("**Preprocessing**, as in training")
    columns = st.columns(4)
    texts = {
        "resize": ("Resize to, px", "The shorter side, or [height, width]. Empty: not at all."),
        "crop": ("Crop to, px", "A side, or [height, width]. Empty: not at all."),
        "input_range": ("Black and white become", "[0, 1], [0, 255], [-1024, 1024], …"),
        "mean": ("Mean, a channel each", "Subtracted after that."),
        "std": ("Std, a channel each", "Divided by after that."),
    }
    said = dict(known)
    defaults = {"input_range": [0, 1], **known}
    for index, (key, (label, words)) in enumerate(texts.items()):
        value = defaults.get(key)
        text = "" if value is None else json.dumps(value)
        said[key] = _parsed(columns[index % 4].text_input(label, text, help=words))
    chosen = known.get("interpolation", "bilinear")
    kinds = ["bilinear", "bicubic"]
    said["interpolation"] = columns[1].selectbox("Interpolation", kinds, kinds.index(chosen))
    if known["channels"] == 3:
        said["channel_order"] = columns[2].selectbox("Order of colours", ["RGB", "BGR"])
    return said


def _golden(card: dict[str, Any]) -> Any:
    """Draw the golden test; note it in the card and return its image, if one was chosen."""
    left, right = st.columns(2)
    golden = left.file_uploader(
        "Golden image, whose scores are known",
        type=None,
        help="It is scored at import, so that wrong preprocessing is seen.",
    )
    lines = right.text_area(
        "Its scores, as class = score, one a line", help="As the training pipeline gives them."
    ).splitlines()
    if golden is not None:
        pairs = [line.rpartition("=") for line in lines if line.strip()]
        card["golden"] = {
            "image": golden.name,
            "image_sha256": sha256(golden.getvalue()).hexdigest(),
            "scores": {name.strip(): _parsed(score) for name, _, score in pairs},
        }
    return golden


def _parsed(text: str) -> Any:
    """Return what was typed as a number or list; as a text, which the card refuses, if neither."""
    try:
        return json.loads(text) if text.strip() else None
    except ValueError:
        return text


def _without_empty(card: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in card.items() if value not in (None, [])}
    kept["preprocessing"] = {k: v for k, v in card["preprocessing"].items() if v is not None}
    return kept
