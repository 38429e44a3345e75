"""Who may come in: accounts, passwords, sessions, and how often a door is tried."""
