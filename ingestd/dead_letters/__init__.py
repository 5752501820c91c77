"""Events that could not be parsed or were refused for good: written, read, counted."""
