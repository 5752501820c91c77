"""Python code of a config: compiled once, with mistakes reported at their place in the config or in its file."""

from __future__ import annotations

import ast
import linecache
import traceback
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from types import CodeType
from typing import Any, NamedTuple

from ingestd.config.errors import Span
from ingestd.event.fields import Event
from ingestd.event.jsontext import MAX_DEPTH
from ingestd.event.timestamp import from_datetime

_FUNCTION = "_code"


class CodeError(Exception):
    """Code failed; the message says why and where."""


class NotPythonError(ValueError):
    """Code of a config is not Python. ``span``: where, None: in a file of its own, which the message names."""

    def __init__(self, message: str, span: Span | None = None) -> None:
        super().__init__(message)
        self.span = span


class Origin(NamedTuple):
    """Where code is written: a file, and how many lines of it come before the code."""

    file: str
    lines_before: int = 0
    named: bool = False
    """Whether ``file`` is only a name, so that tracebacks cannot read it."""
    column: int = 0
    """Where its first line starts in the config, from 1; 0: it is not part of a config."""

    @classmethod
    def of_span(cls, span: Span | None, name: str) -> Origin:
        """Return the origin of an option's value; without its place, lines are counted from its start."""
        return cls(name, named=True) if span is None else cls(span.file, span.line - 1, column=span.column + 1)


def compile_module(text: str, origin: Origin) -> CodeType:
    """Compile statements that are run once.

    Raises:
        ValueError: They are not Python.
    """
    return _compiled(*_parsed(text, origin), origin)


def compile_function(text: str, origin: Origin, namespace: dict[str, Any]) -> Callable[[Event], Any]:
    """Return a function of ``event`` whose body is ``text``; its globals are ``namespace``.

    Raises:
        ValueError: The text is not the body of a function.
    """
    tree, cut = _parsed(text, origin)
    body = tree.body or [ast.Pass(lineno=1, col_offset=0, end_lineno=1, end_col_offset=0)]
    shell = ast.parse(f"def {_FUNCTION}(event): pass")
    function = shell.body[0]
    assert isinstance(function, ast.FunctionDef)  # noqa: S101 -- it is written above
    function.body = body
    exec(_compiled(shell, cut, origin), namespace)  # noqa: S102 -- code of the config, which may do anything anyway
    made: Callable[[Event], Any] = namespace.pop(_FUNCTION)
    return made


def _parsed(text: str, origin: Origin) -> tuple[ast.Module, list[int]]:
    """Return the syntax tree of code, and how many characters each of its lines has lost at its start."""
    mistakes: list[tuple[SyntaxError, list[int]]] = []
    for attempt, cut in _unindented(text):
        if origin.named:
            lines = [line + "\n" for line in attempt.split("\n")]
            linecache.cache[origin.file] = (len(attempt), None, lines, origin.file)
        try:
            return ast.increment_lineno(ast.parse(attempt), origin.lines_before), cut
        except SyntaxError as error:
            mistakes.append((error, cut))
        except ValueError as error:  # a NUL
            raise ValueError(f"{origin.file}: {error}") from None
    raise _not_python(*max(mistakes, key=lambda mistake: mistake[0].lineno or 0), origin)


def _compiled(tree: ast.Module, cut: list[int], origin: Origin) -> CodeType:
    try:
        return compile(tree, origin.file, "exec")
    except SyntaxError as error:
        line = (error.lineno or 1) - origin.lines_before
        raise _not_python(_moved(error, line), cut, origin) from None


def _moved(error: SyntaxError, line: int) -> SyntaxError:
    return SyntaxError(error.msg, (error.filename, line, error.offset, error.text))


def _not_python(error: SyntaxError, cut: list[int], origin: Origin) -> NotPythonError:
    """Return the error for a mistake; ``cut``: how many characters each line has lost at its start."""
    number = error.lineno or 1
    line, column = number + origin.lines_before, error.offset or 1
    if origin.column:
        column += cut[number - 1] if number <= len(cut) else 0
        span = Span(origin.file, line, column + (origin.column - 1 if number == 1 else 0))
        return NotPythonError(f"the code is not Python: {error.msg}", span)
    text = f"{origin.file}, line {line}: {error.msg}: {(error.text or '').strip()}"
    return NotPythonError(text.removesuffix(": "))


def _unindented(text: str) -> list[tuple[str, list[int]]]:
    """Return code without the indentation that all its lines have in the config, and how much that is of each line.

    The first line may start right after the quote. It may also start a block that all other lines belong to; the second
    text is for that case.
    """
    first, *rest = text.split("\n")
    indent = min((len(line) - len(line.lstrip()) for line in rest if line.strip()), default=0)
    start, before = first.lstrip(), len(first) - len(first.lstrip())
    return [
        ("\n".join([start, *(line[indent:] for line in rest)]), [before, *[indent] * len(rest)]),
        ("\n".join([start, *rest]), [before, *[0] * len(rest)]),
    ]


def describe(error: BaseException, files: set[str]) -> str:
    """Return what an error in code of these files is, with the place and the text of its line."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename in files]
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    text = "the code calls exit()" if isinstance(error, SystemExit) else text
    return f"{text}, in {frames[-1].filename}, line {frames[-1].lineno}: {frames[-1].line}" if frames else text


def json_value(value: Any, depth: int = 0) -> Any:
    """Return a value made by code as one of JSON; times become timestamps, tuples and sets arrays.

    Raises:
        TypeError: It has no counterpart in JSON.
        ValueError: It is nested too deeply.
    """
    if value is None or type(value) in (str, bool, int, float):
        return value
    if depth > MAX_DEPTH:
        raise ValueError(f"a value is nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, dict):
        return {_key(key): json_value(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [json_value(item, depth + 1) for item in value]
    return _scalar(value)


def _key(key: Any) -> str:
    if isinstance(key, str):
        return str(key)
    if isinstance(key, int):
        return str(int(key))
    raise TypeError(f"the name of a field must be text, not {key!r}")


def _scalar(value: Any) -> Any:
    for kind in (str, int, float):
        if isinstance(value, kind):
            return kind(value)
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, datetime):
        return from_datetime(value if value.tzinfo else value.replace(tzinfo=UTC))
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"a field cannot hold {value!r}, which is not a value of JSON")
