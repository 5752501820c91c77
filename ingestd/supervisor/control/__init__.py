"""Requests to the supervisor: stop, reload, upgrade."""
