"""The child processes of the supervisor, and what it says to them."""
