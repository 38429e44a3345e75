"""The HTTP face around Streamlit: the gate, sign-in, pixels."""
