"""Asking whoever brings files in which values are black and white, where files do not say."""

import streamlit as st

from imaging.image import Window

CHOICES: dict[str, Window | None] = {
    "As each file says": None,
    "10 bits: 0 to 1,023": (0, 1023),
    "12 bits: 0 to 4,095": (0, 4095),
    "14 bits: 0 to 16,383": (0, 16383),
    "16 bits: 0 to 65,535": (0, 65535),
    "CT values: −1,024 to 3,071": (-1024, 3071),
}
OTHER = "Others"
HELP = (
    "For pictures of more than 8 bits and DICOM files without a window: nothing in them says "
    "which values are black and white, and models see what you see."
)


def choose() -> Window | None:
    """Draw the choice and return (black, white); None leaves it to the files."""
    with st.expander(
        "Grey values of files that do not state a range", icon=":material/contrast:", width=760
    ):
        chosen = st.selectbox("Black to white", [*CHOICES, OTHER], help=HELP, width=340)
        if chosen != OTHER:
            return CHOICES[chosen]
        with st.container(horizontal=True, width=340):
            black = st.number_input("Black", value=0.0, step=1.0, format="%g")
            white = st.number_input("White", value=4095.0, step=1.0, format="%g")
        if black >= white:
            st.error("White must be the higher value.", icon=":material/error:")
            st.stop()
    return black, white
