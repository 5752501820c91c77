"""ingestd: a log ingestion daemon in pure Python."""

__version__ = "0.1.0"
