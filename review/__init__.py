"""The use cases: intake, explaining, verdicts, triage, exporting. Knows no Streamlit."""
