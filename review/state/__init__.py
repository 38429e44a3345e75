"""What a state means, each once: status, held, flags, open in triage, unread, known to whom."""
