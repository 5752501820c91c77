"""Tests of ``ingestd.alerts``."""
