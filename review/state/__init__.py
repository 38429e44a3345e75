"""What a case's state means: status and flags, each defined once."""
