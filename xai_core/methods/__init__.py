"""One attribution method a module; all return an `xai_core.Attribution`."""
