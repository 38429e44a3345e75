"""One thin script a screen; `ui.navigation` says which there are."""
