"""Puts the daemon together out of configs and settings."""
