"""Grok: named patterns, Ruby's regular expressions in Python, and a proof of how long they can take."""
