"""Codecs: bytes to events, events to bytes."""
