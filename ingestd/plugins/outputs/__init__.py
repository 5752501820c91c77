"""Outputs: where events go."""
