"""Assembles the daemon, and what commands run, from configs and settings."""
