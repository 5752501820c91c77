"""The commands of ``ingestd``."""
