"""Retention, backup and restore of indices, against ``LogStore`` and ``Backups`` only."""
