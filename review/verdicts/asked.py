"""Which findings a reader is asked about: the site's list, or what the model says."""

from collections.abc import Mapping
from typing import Any

from db.tables import Setting
from xai_core.model.answer import Answer, thresholds_of

KEY = "asked_findings"


def site_list(setting: Setting | None) -> tuple[str, ...]:
    """Return the findings that a site asks about in every case; empty where it has no list."""
    return tuple(setting.value["findings"]) if setting else ()


def asked_of(card: Mapping[str, Any], answer: Answer, setting: Setting | None) -> tuple[str, ...]:
    """Return the findings that a reader of a prediction is asked about.

    Those of the site's list that the model knows; without any, those that the model calls present,
    or all that it knows where it calls none. Nothing where exactly one class is right: the class is
    asked about.

    Args:
        card: The model's.
        answer: What the model answers.
        setting: The site's choice, by `KEY`; None where it never made one.
    """
    if thresholds_of(card) is None:
        return ()
    classes = card["classes"]
    listed = tuple(name for name in site_list(setting) if name in classes)
    return listed or tuple(classes[index] for index in answer.present) or tuple(classes)
