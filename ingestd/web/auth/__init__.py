"""Who may see the pages: secrets, sessions, and the check of every request."""
