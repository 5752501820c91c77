"""Proofs of how the matching time of a pattern grows with the length of the value."""
