"""Words that appear on more than one screen."""

HELP_NOT_EVIDENCE = (
    "A heatmap is help, not evidence. Correlation is not cause. You make the final call."
)
NOT_FOR_DIAGNOSIS = "For research and model review. Not for primary diagnosis."

ROLES = {"reader": "Reader", "engineer": "Engineer", "administrator": "Administrator"}
