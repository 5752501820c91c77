"""Errors in a pipeline config, with file, line, column and a caret."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ingestd.display import point_at


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of config text. ``line`` and ``column`` count from 1; ``length`` is in characters."""

    file: str
    line: int
    column: int
    length: int = 1


class ConfigError(Exception):
    """The config is wrong at ``span``; ``hint`` says what to write instead.

    ``severity`` is ``error`` or ``warning``; only errors prevent a pipeline from starting.
    """

    def __init__(self, message: str, span: Span, hint: str = "", severity: str = "error") -> None:
        super().__init__(message, span, hint, severity)
        self.message, self.span, self.hint, self.severity = message, span, hint, severity

    def __str__(self) -> str:
        return f"{self.span.file}:{self.span.line}:{self.span.column}: {self.severity}: {self.message}"

    def render(self, source: str | None) -> str:
        """Return the message, the source line and a caret under the span, see `point_at`.

        Without a source (the file could not be read) the result is the message and the hint, if any.
        """
        if source is None:
            return "\n".join([str(self), f"  help: {self.hint}"] if self.hint else [str(self)])
        lines = source.split("\n")
        line = mask_values(lines[min(self.span.line, len(lines)) - 1].rstrip("\r"), self.span.column, self.span.length)
        return point_at(str(self), line, self.span.column, self.span.length, self.hint, self.span.line)


_WORD_OF_NAME = re.compile("[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_SECRET_WORD = re.compile(
    "pass(?:word|wd|phrase|code)?s?|pwd|secrets?|[a-z]*tokens?|(?:api|access|secret|private)?key|keystore|jwt"
    "|auth(?!ors?$)[a-z]*|credentials?|[a-z]*headers?|cookies?",
    re.IGNORECASE,
)
_PLAIN = frozenset(
    (
        *("codec", "type", "id", "tags", "add_tag", "remove_tag", "remove_field", "rename", "convert", "gsub", "split"),
        *("match", "pattern", "patterns_dir", "what", "negate", "mapping", "source", "target", "field", "timezone"),
        *("path", "sincedb_path", "mode", "start_position", "delimiter", "charset", "port", "host", "format", "index"),
        *("action", "document_id", "template_name", "topics", "topic_id", "group_id", "bootstrap_servers", "send_to"),
    )
)
"""Options whose values are not secrets."""
_LOGIN = re.compile(r"://[^/\s\"']*@")
_STRING = re.compile(r""""(?:\\.|[^"\\])*+"?+|'(?:\\.|[^'\\])*+'?+""")
_OPENING = re.compile(
    r"""(?P<name>"[^"]*"|'[^']*'|[^\s"'\[\]{}=,]+)\s*=>\s*(?P<opens>[\[{])?|(?P<other>[\[{])|(?P<closes>[\]}])"""
)
"""What a value may belong to: an option or a key, maybe with the bracket of its array or hash, and other brackets."""
_VALUE = re.compile(r"""(?:"(?:\\.|[^"\\])*+"?+|'(?:\\.|[^'\\])*+'?+|(?<==>)\s*[^\s"'\[{]+)""")
"""A string in quotes, or a word after an arrow; the end of a string may be missing."""


def mask_values(line: str, column: int, length: int) -> str:
    """Return a line of config for an excerpt: without the values of options, which may be secrets.

    The value at the mistake (``column`` from 1, ``length`` in characters) is shown, unless its option or key sounds
    like a secret, and so are those of options that have none, such as paths and patterns. Columns up to the mistake
    stay.
    """
    arrow, start, end = line.find("=>"), column - 1, column - 1 + length
    if arrow < 0:
        return line

    def masked(value: re.Match[str]) -> str:
        text, names = value[0], _names_of(line[: value.start()])
        secret = any(map(_is_secret, names))
        plain = not _PLAIN.isdisjoint(names) and _LOGIN.search(text) is None
        is_quoted = text.startswith(('"', "'"))
        at_mistake = value.start() < end and start < value.end()
        is_key = value.start() < arrow or line[value.end() :].lstrip().startswith("=>")
        if is_key or (not secret and (at_mistake or plain or not is_quoted)):
            return text
        quote = text[0] if is_quoted else " "
        stars = "***" if value.start() >= end else "*" * max(len(text) - 2, 0)
        return f"{quote}{stars}{quote}" if is_quoted else f" {stars}"

    return _VALUE.sub(masked, line)


def _is_secret(name: str) -> bool:
    """Return whether an option or a key sounds as if its value is a secret."""
    return any(map(_SECRET_WORD.fullmatch, _WORD_OF_NAME.findall(name)))


def _names_of(before: str) -> list[str]:
    """Return the option and the keys that a value belongs to; ``before``: the line up to it."""
    before = _STRING.sub(lambda text: text[0] if before[text.end() :].lstrip().startswith("=>") else "", before)
    around: list[str] = []  # of each bracket that is open, the name before it
    name = ""
    for found in _OPENING.finditer(before):
        if found["closes"]:
            around = around[:-1]
        elif found["other"] or found["opens"]:
            around.append(found["name"] or "")
        name = (found["name"] or "") if found["name"] and not found["opens"] else ""
    return [*around, name]


class ConfigErrors(Exception):  # noqa: N818 - the plural says that there are several
    """All errors found in one config, in the order of the text. ``sources``: file name -> its text.

    A file that could not be read is not in ``sources``; its errors are shown without a line of text.
    """

    def __init__(self, errors: list[ConfigError], sources: dict[str, str]) -> None:
        super().__init__(errors)
        self.errors, self.sources = errors, sources

    def __str__(self) -> str:
        return self.render()

    def render(self) -> str:
        """Return every error with its source line and caret, in order."""
        return "\n".join(error.render(self.sources.get(error.span.file)) for error in self.errors)
