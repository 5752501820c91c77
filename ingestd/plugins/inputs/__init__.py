"""Inputs: where bytes come from."""
