"""What the supervisor listens on and keeps open."""
