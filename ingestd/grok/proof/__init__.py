"""Proves that a pattern matches in linear time."""
