"""Framing: where records start and end in streams and datagrams, and who sends them."""
