"""Compile generated Python source to a function whose tracebacks point into the pipeline config."""

from __future__ import annotations

import ast
import linecache
from collections.abc import Callable, Mapping
from typing import Any

from ingestd.config.errors import Span


def load(
    source: str, spans: Mapping[int, Span], env: Mapping[str, Any], sources: Mapping[str, str]
) -> Callable[..., Any]:
    """Compile ``source`` and return its function ``pipeline``.

    ``spans`` maps lines of ``source`` (from 1) to their spans in the config; ``sources`` has the text of the config
    by file name. Tracebacks quote that text, even if a file changes later. As a function can have only one file name,
    a config of several files is quoted as one text under all their names.
    """
    name = ", ".join(sources) or "<pipeline>"
    text, first_lines = _joined(sources)
    lines = [line + "\n" for line in text.split("\n")]  # not splitlines(): the parser counts \n only
    linecache.cache[name] = (len(text), None, lines, name)  # None: never re-read from disk
    tree = ast.parse(source)
    nodes: list[Any] = [node for node in ast.walk(tree) if hasattr(node, "lineno")]
    for node in nodes:
        span = spans.get(node.lineno, Span(name, 1, 1))
        line = span.line + first_lines.get(span.file, 0)
        start = len(lines[line - 1][: span.column - 1].encode())  # ast counts UTF-8 bytes
        node.lineno = node.end_lineno = line
        node.col_offset, node.end_col_offset = start, start + span.length
    namespace = dict(env)
    exec(compile(tree, name, "exec"), namespace)  # noqa: S102 -- generated code; see codegen
    pipeline: Callable[..., Any] = namespace["pipeline"]
    return pipeline


def _joined(sources: Mapping[str, str]) -> tuple[str, dict[str, int]]:
    """Return all texts joined, and for each file the number of lines before it."""
    first_lines: dict[str, int] = {}
    before = 0
    for file, text in sources.items():
        first_lines[file] = before
        before += text.count("\n") + 1
    return "\n".join(sources.values()), first_lines
