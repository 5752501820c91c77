"""Append logs: writing them, repairing them, and the ids of the documents in them."""
