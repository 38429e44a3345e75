"""The component: registered once, mounted under one key, told of every run."""

from collections.abc import Callable
from typing import Any

import streamlit as st

from review.catalogue import OFFERED, PAIR
from review.state.reasons import REASONS
from review.verdicts.complete import NEEDS
from review.verdicts.draft import MAX_COMMENT
from review.words import CALL_NAMES, OPINION_NAMES, PLAUSIBILITY_NAMES, REASONING_NAMES
from ui.http import assets
from ui.words import HELP_NOT_EVIDENCE, NOT_FOR_DIAGNOSIS
from xai_core.glossary.entries import METHODS, Family
from xai_core.rendering import contrast_lut, diverging_lut

KEY = "reader"
FULL_SCREEN = assets.FOLDER / "full_screen.css"

SITE = {
    "pair": list(PAIR),
    "families": [
        {
            "name": family.value,
            "methods": [
                {"key": key, "name": method.name, "question": method.question}
                for key, method in METHODS.items()
                if method.family is family and key in OFFERED
            ],
        }
        for family in Family
    ],
    "lut": diverging_lut().ravel().tolist(),
    "contrast_lut": contrast_lut().ravel().tolist(),
    "reasons": [
        {"key": key, "words": reason.words, "of": reason.of.value}
        for key, reason in REASONS.items()
    ],
    "opinions": {opinion.value: name for opinion, name in OPINION_NAMES.items()},
    "needs": {opinion.value: needed for opinion, needed in NEEDS.items()},
    "plausibility": [
        {"key": judged.value, "words": name} for judged, name in PLAUSIBILITY_NAMES.items()
    ],
    "reasonings": {reasoning.value: name for reasoning, name in REASONING_NAMES.items()},
    "calls": {call.value: name for call, name in CALL_NAMES.items()},
    "max_comment": MAX_COMMENT,
    "caution": HELP_NOT_EVIDENCE,
    "not_for_diagnosis": NOT_FOR_DIAGNOSIS,
}

_component = st.components.v2.component(
    "second_look_reader", css=assets.STYLE, js=assets.entry_script("component.js")
)


def draw(data: dict[str, Any], act: Callable[[object], None]) -> None:
    """Draw the reader's screen.

    Args:
        data: What is on it; see `ui.viewer.desk`.
        act: Called with each action of the reader, before the script runs again.
    """

    def heard() -> None:
        if action := st.session_state[KEY].act:
            act(action)

    _component(key=KEY, data=data | {"site": SITE}, on_act_change=heard)
