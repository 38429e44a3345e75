"""Words that appear on more than one screen, and names as they are."""

import re

HELP_NOT_EVIDENCE = (
    "A heatmap is help, not evidence. Correlation is not cause. You make the final call."
)
NOT_FOR_DIAGNOSIS = "For research and model review. Not for primary diagnosis."

ROLES = {"reader": "Reader", "engineer": "Engineer", "administrator": "Administrator"}

_MARKS = re.compile(r"[\\`*_\[\]<>#~$]|:(?=//)|(?<=www)\.")


def as_it_is(text: str) -> str:
    """Return a name or another's words so that Markdown shows them and does nothing they say."""
    return _MARKS.sub(lambda mark: f"\\{mark[0]}", " ".join(text.split()))
