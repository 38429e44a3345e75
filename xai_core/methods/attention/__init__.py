"""Methods that follow attention through a transformer."""
