"""Filters: change, drop or multiply events."""
