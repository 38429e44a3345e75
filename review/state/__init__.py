"""What a state means, each once: answer, consensus, status, flags, unread, known to whom."""
