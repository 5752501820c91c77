"""``redact``: mask personal data and secrets.

An addition to Logstash's filters. The original text stays in the journal until its segments are deleted, unless the
input has the option ``redact``. Values that are numbers stay. Other secrets need ``patterns``, such as
 ``patterns => { "(?i)(password=)\\S+" => "\\1***" }``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ingestd.event.fields import Event, FieldRef
from ingestd.event.redaction import DEFAULT_KINDS, KINDS, Redact, redactor
from ingestd.event.table import ABSENT, Rows, Table
from ingestd.plugins.filters._each_event import each_event
from ingestd.plugins.filters._targets import target as checked
from ingestd.plugins.filters._trees import change_fields, on_texts
from ingestd.plugins.registry import BuildContext, ColumnsFn, FilterFn, Touch, filter_plugin, option

_NEVER = ("@timestamp", "@version")


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the filter ``redact``."""

    fields: list[FieldRef] = option([], "Fields to mask, with everything in them; default: every field.")
    kinds: list[str] = option(
        [*DEFAULT_KINDS],
        "What to mask: e-mail addresses, card numbers, resident registration numbers and phone numbers of Korea,"
        " secrets in URLs (`?token=`, `user:password@`), JSON Web Tokens, and addresses: the last number of an IPv4"
        " address becomes 0, of an IPv6 address the first 48 bits stay.",
        choices=KINDS,
    )
    patterns: dict[str, str] = option({}, "Regular expressions of other texts to mask, with what takes their place.")
    replacement: str = option("<{kind}>", "What takes the place of a text of a kind; `{kind}` is its name.")


def _touches(options: Options) -> Touch:
    if not options.fields:
        return Touch(unknown="redact without fields changes any field")
    fields = frozenset(ref.text for ref in options.fields)
    return Touch(reads=fields, sets=fields)


@filter_plugin("redact", Options, touches=_touches, columns=True)
def build(options: Options, context: BuildContext) -> ColumnsFn:
    """Mask personal data and secrets in texts, also inside arrays and hashes; names of fields stay."""
    mask = on_texts(_redact(options))
    if not options.fields:
        return each_event(_every_field(mask), _touches(options))
    refs = [checked(ref) for ref in options.fields]

    def redact(table: Table, rows: Rows, received_ns: int) -> Rows:
        for ref in refs:
            values, put = table.values(ref), table.setter(ref)
            for row in rows:
                value = values[row]
                if value is not ABSENT and (masked := mask(value)) is not value:
                    put(row, masked)
        return rows

    return redact


def _redact(options: Options) -> Redact:
    """Return the function of a text that masks the kinds and the patterns, and returns one without them itself."""
    steps = [redactor(dict.fromkeys(options.kinds), options.replacement)]
    steps += [_own(pattern, replacement) for pattern, replacement in options.patterns.items()]

    def redact(text: str) -> str:
        masked = text
        for step in steps:
            masked = step(masked)
        return text if masked == text else masked

    return redact


def _own(pattern: str, replacement: str) -> Redact:
    from ingestd.grok.compile import compile_regex  # noqa: PLC0415 -- only for patterns of the config
    from ingestd.grok.errors import PatternError  # noqa: PLC0415

    try:
        compiled = compile_regex(pattern)
    except PatternError as error:
        raise ValueError(f"patterns: {pattern!r}: {error}") from None
    substitute, new = compiled.matcher().sub, compiled.replacement(replacement)
    return lambda text: substitute(new, text)


def _every_field(mask: Callable[[Any], Any]) -> FilterFn:
    def redact(event: Event) -> bool:
        change_fields(event, mask, _NEVER)
        return True

    return redact
