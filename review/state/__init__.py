"""What a state means, each once: answer, consensus, status, held, flags, unread, known to whom."""
