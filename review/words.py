"""The words in which stored values are shown to people: one place for screens and files.

Those of a flag stand beside the rule that raises it, in `review.state.flags`.
"""

from collections.abc import Mapping

from db.types import Call, Disposition, Opinion, Plausibility, Reasoning, TextStep, TriageAction
from xai_core.glossary.entries import METHODS

METHOD_NAMES = {key: method.name for key, method in METHODS.items()}

OPINION_NAMES = {
    Opinion.ACCEPT: "Accept",
    Opinion.MODIFY: "Accept with modification",
    Opinion.REJECT: "Reject",
    Opinion.CANNOT_ASSESS: "Cannot assess",
    Opinion.WITHDRAWN: "Withdrawn",
}

CALL_NAMES = {
    Call.PRESENT: "Present",
    Call.ABSENT: "Absent",
    Call.INDETERMINATE: "Indeterminate",
}

REASONING_NAMES = {
    Reasoning.SOUND: "Sound",
    Reasoning.UNSOUND: "Unsound",
    Reasoning.UNSURE: "Unsure",
}

PLAUSIBILITY_NAMES = {
    Plausibility.PLAUSIBLE: "Plausible",
    Plausibility.IMPLAUSIBLE: "Implausible",
    Plausibility.UNSURE: "Unsure",
}

LATERALITY_NAMES = {"R": "right", "L": "left", "U": "unpaired", "B": "both sides"}

TRIAGE_ACTION_NAMES = {
    TriageAction.ASSIGN: "Assigned",
    TriageAction.COMMENT: "Commented",
    TriageAction.CLOSE: "Closed",
    TriageAction.REOPEN: "Reopened",
}

TEXT_STEP_NAMES: Mapping[str, str] = {
    TextStep.NOTICED: "Warned of",
    TextStep.HELD: "Held back",
    TextStep.RELEASED: "Let pass",
    TextStep.MASKED: "Masked",
}

DISPOSITION_NAMES = {
    Disposition.SHORTCUT: "Model uses a shortcut",
    Disposition.MODEL_ERROR: "Model error, for retraining",
    Disposition.DATA_ISSUE: "Problem with the image or its label",
    Disposition.EXPLANATION_ISSUE: "Explanation misleads",
    Disposition.READER_ERROR: "Verdict to be reviewed",
    Disposition.NO_ACTION: "No action needed",
}
