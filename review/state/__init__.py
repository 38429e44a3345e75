"""What a state means, each once: status, flags, open in triage, unread, known to whom."""
