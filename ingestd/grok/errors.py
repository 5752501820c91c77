"""Errors in grok patterns and regular expressions."""

from __future__ import annotations


class PatternError(Exception):
    """A pattern cannot be used.

    Args:
        message: What is wrong, without the position.
        position: Offset in characters, from 0, into the text the caller gave.
        chain: Names of the library patterns that contain the fault, outermost first; empty if it is in the
            caller's own text.
        unknown: It refers to a pattern that is not in the library.
    """

    def __init__(self, message: str, position: int = 0, chain: tuple[str, ...] = (), *, unknown: bool = False) -> None:
        super().__init__(message, position, chain)
        self.message, self.position, self.chain, self.unknown = message, position, chain, unknown

    def __str__(self) -> str:
        where = f" in {' -> '.join(self.chain)}" if self.chain else ""
        return f"{self.message}{where} (at character {self.position + 1})"


class GrokTimeoutError(Exception):
    """Matching one value took longer than allowed; ``limit_s`` is the limit in seconds."""

    def __init__(self, limit_s: float) -> None:
        super().__init__(f"matching took longer than {limit_s:g} s")
        self.limit_s = limit_s
