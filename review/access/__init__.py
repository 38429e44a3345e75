"""Who may come in: accounts and their ways in, sessions, and how often a door is tried."""
