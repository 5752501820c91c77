"""lark, imported without the package ``regex``.

lark imports ``regex`` wherever it is installed, for character classes that our grammar has none of; that is
15 ms of CPU at every start.
"""

from __future__ import annotations

import sys

_missing = "regex" not in sys.modules
if _missing:
    sys.modules["regex"] = None  # type: ignore[assignment]  # how Python marks a module that cannot be imported
try:
    from lark import Lark, Token, Tree, UnexpectedToken
    from lark.lexer import Lexer
    from lark.parsers.lalr_analysis import Shift
finally:
    if _missing:
        del sys.modules["regex"]

__all__ = ["Lark", "Lexer", "Shift", "Token", "Tree", "UnexpectedToken"]
