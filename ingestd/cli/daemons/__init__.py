"""Asking daemons, this one or a fleet: what they have counted."""
