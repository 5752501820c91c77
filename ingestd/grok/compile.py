"""The interface of the package: compile a grok pattern, or a plain regular expression."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from ingestd.grok.engine import CompiledPattern, Match, Matcher, load
from ingestd.grok.errors import PatternError
from ingestd.grok.expand import expand
from ingestd.grok.library import PatternLibrary
from ingestd.grok.proof.safety import Safety
from ingestd.grok.translate import translate, translate_replacement

DEFAULT_TIMEOUT_S = 30.0  # grok's timeout_millis


@dataclass(frozen=True, slots=True)
class Capture:
    """A group of the pattern whose text becomes a field.

    Args:
        group: Its number in the match.
        field: The field reference, as ``client`` or ``[client][ip]``.
        convert: The number type after the second colon, None for text.
    """

    group: int
    field: str
    convert: Literal["int", "float"] | None = None


@dataclass(frozen=True, slots=True)
class CompiledRegex:
    """A compiled pattern: a plain regular expression of the config, as in ``=~`` or mutate's gsub.

    Args:
        text: The pattern as written in the config.
        program: The same, compiled for Python.
    """

    text: str
    program: CompiledPattern

    @property
    def source(self) -> str:
        """The expression in Python's syntax."""
        return self.program.translation.source

    @property
    def safety(self) -> Safety:
        """How it can backtrack; computed on first use."""
        return self.program.safety

    def matcher(self, timeout_s: float | None = DEFAULT_TIMEOUT_S) -> Matcher:
        """Return a matcher; ``timeout_s`` limits one match, in seconds, None: no limit. Build it once."""
        return Matcher(self.program, timeout_s)

    def replacement(self, text: str) -> str | Callable[[Match], str]:
        """Return Ruby's replacement ``text`` in the form that `Matcher.sub` accepts."""
        return translate_replacement(text, self.program.translation.names)


@dataclass(frozen=True, slots=True)
class GrokPattern(CompiledRegex):
    """A grok pattern, expanded and compiled.

    Args:
        captures: The groups that become fields. Captures of the same field are adjacent, as in Ruby.
    """

    captures: tuple[Capture, ...]


def compile_grok(pattern: str, library: PatternLibrary, named_captures_only: bool = True) -> GrokPattern:
    """Compile a pattern of grok's ``match``. It is searched for, not anchored; ``.`` matches line ends.

    Raises:
        PatternError: A pattern name is unknown, or the expression is wrong. The position is an offset into
            ``pattern``; the chain names the library patterns that contain the fault.
    """
    expansion = expand(pattern, library, named_captures_only)
    try:
        translation = translate(expansion.text, dot_all=True, keep_plain_groups=False)
    except PatternError as error:
        raise expansion.locate(error) from None
    program = load(translation)
    groups: dict[str, list[int]] = {}
    for number, name in enumerate(translation.names, 1):
        if name:
            groups.setdefault(name, []).append(number)
    captures = tuple(_capture(name, number) for name, numbers in groups.items() for number in numbers)
    return GrokPattern(pattern, program, captures)


def _capture(name: str, group: int) -> Capture:
    parts = name.split(":")
    field = parts[1] if len(parts) > 1 and parts[1] else parts[0]
    if len(parts) > 2 and parts[2] == "int":
        return Capture(group, field, "int")
    if len(parts) > 2 and parts[2] == "float":
        return Capture(group, field, "float")
    return Capture(group, field)


def compile_regex(text: str) -> CompiledRegex:
    """Compile a plain regular expression in Ruby's syntax.

    Raises:
        PatternError: It is wrong; the position is an offset into ``text``.
    """
    return CompiledRegex(text, load(translate(text)))
