"""Read pipeline configs in the Logstash config language.

The other modules of the package do the work: ``files`` finds and reads files; ``lexer`` makes tokens; ``statements``
and ``conditions`` parse by recursive descent, on a ``cursor``; ``literals`` makes nodes of single tokens.
``recovery`` finds the next statement after a syntax error, ``messages`` words the error.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ingestd.config import files
from ingestd.config.cursor import TokenCursor
from ingestd.config.errors import ConfigError, ConfigErrors, Span
from ingestd.config.lexer import SourceText
from ingestd.config.literals import Literals
from ingestd.config.messages import SECTIONS
from ingestd.config.nodes import Config, Statement
from ingestd.config.statements import StatementParser


def parse(text: str, file: str, variables: Mapping[str, str], *, support_escapes: bool = False) -> Config:
    r"""Return the tree of one config text.

    Args:
        text: The text; a byte order mark at the start is skipped.
        file: Its name in error messages.
        variables: Values for ``${NAME}``, commonly ``os.environ``.
        support_escapes: Whether ``\n``, ``\t``, ``\"`` and so on in strings are escapes
            (``config.support_escapes`` in Logstash). If not, a backslash is just a backslash; before a quote it
            keeps the string from ending, and stays part of it.

    Variables that are not set are in the ``errors`` of the tree, and stay as they are written.

    Raises:
        ConfigErrors: The text is wrong; all errors found, in the order of the text.
    """
    return _join([(file, text)], variables, support_escapes)


def load(paths: Sequence[Path], variables: Mapping[str, str], *, support_escapes: bool = False) -> Config:
    """Return the tree of several files; a folder means its ``*.conf`` files, sorted by name.

    Each file must be complete in itself. Otherwise like ``parse``.
    """
    texts: list[tuple[str, str]] = []
    errors: list[ConfigError] = []
    for path in files.find(paths):
        try:
            if isinstance(path, ConfigError):
                raise path
            texts.append((str(path), files.read(path)))
        except ConfigError as error:
            errors.append(error)
    return _join(texts, variables, support_escapes, errors)


def _join(
    texts: Sequence[tuple[str, str]],
    variables: Mapping[str, str],
    support_escapes: bool,
    unreadable: Iterable[ConfigError] = (),
) -> Config:
    """Parse each text and join the sections of the same kind."""
    sources: dict[str, str] = {}
    sections = defaultdict[str, list[Statement]](list)
    errors, warnings = list(unreadable), list[ConfigError]()
    broken = bool(errors)
    for file, marked in texts:
        text = sources[file] = marked.removeprefix("\ufeff")
        cursor = TokenCursor(SourceText(text, file))
        literals = Literals(cursor.source, variables, support_escapes=support_escapes)
        for name, statements in StatementParser(cursor, literals).sections():
            sections[name] += statements
        broken = broken or bool(cursor.errors or literals.errors)
        errors += _in_order(cursor.errors + literals.errors + literals.unset)
        warnings += _in_order(literals.warnings)
    if not sections and not errors:
        errors.append(_no_section(texts))
        broken = True
    if broken:
        raise ConfigErrors(errors, sources)
    inputs, filters, outputs = (tuple(sections[name]) for name in SECTIONS)
    return Config(inputs, filters, outputs, sources, tuple(warnings), tuple(errors))


def _no_section(texts: Sequence[tuple[str, str]]) -> ConfigError:
    file = texts[0][0] if texts else "config"
    hint = "a config consists of input { … }, filter { … }, output { … }"
    return ConfigError("there is no section in this config", Span(file, 1, 1), hint)


def _in_order(errors: list[ConfigError]) -> list[ConfigError]:
    """Return errors in the order of the text, without duplicates: some mistakes are found twice."""
    unique = {(error.span, error.message): error for error in errors}
    return sorted(unique.values(), key=lambda error: (error.span.line, error.span.column))
