"""The reader's screen: one browser component and the Python that feeds and hears it."""
