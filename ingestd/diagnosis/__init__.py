"""Diagnosis of a running system, for ``ingestd doctor`` and the dashboard: facts are gathered, then checked."""
