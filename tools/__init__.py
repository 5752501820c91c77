"""Tools for people who work on ingestd; not part of the package."""
