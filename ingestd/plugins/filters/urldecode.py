"""``urldecode``: decode ``%XX`` escapes in one field, or in all fields.

Follows https://www.elastic.co/docs/reference/logstash/plugins/plugins-filters-urldecode. As there, ``+``
stays ``+`` unless ``plus_as_space`` is set. Unlike there, a missing field stays missing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ingestd.event.fields import Event, FieldRef
from ingestd.event.table import ABSENT, Rows, Table
from ingestd.plugins.filters._each_event import each_event
from ingestd.plugins.filters._percent import is_utf8, text_unescaper
from ingestd.plugins.filters._trees import change_fields, on_texts
from ingestd.plugins.registry import BuildContext, ColumnsFn, FilterFn, Touch, filter_plugin, option

_CACHED_CHARS = 256  # words repeat, long texts do not
_CACHED_TEXTS = 8192  # about 1 MB of search words; at most 16 MB


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the filter ``urldecode``."""

    field: FieldRef = option(FieldRef("message"), "Field to decode: text, or an array or hash that contains text.")
    all_fields: bool = option(False, "Decode every field of the event; `field` is then ignored.")
    charset: str = option("UTF-8", "Encoding of the escaped bytes, e.g. `UTF-8` or `CP949`.")
    tag_on_failure: list[str] = option(["_urldecodefailure"], "For compatibility with Logstash; decoding never fails.")
    plus_as_space: bool = option(False, "Decode `+` as a space, as HTML forms encode it; Logstash does not.")
    fallback_charset: str = option(
        "", "Encoding of escaped bytes that are not valid in `charset`, e.g. `CP949`; empty: none."
    )
    normalize: str = option(
        "", "Unicode normalization form of the result; empty: none.", choices=("", "NFC", "NFD", "NFKC", "NFKD")
    )


def _touches(options: Options) -> Touch:
    if options.all_fields:
        return Touch(unknown="urldecode with all_fields changes any field")
    field = frozenset([options.field.text])
    return Touch(reads=field, sets=field)


@filter_plugin("urldecode", Options, touches=_touches, columns=True)
def build(options: Options, context: BuildContext) -> ColumnsFn:
    """Decode `%XX` escapes.

    Bytes that are not valid in `charset` (or `fallback_charset`) are written as `\\xD3`, without a tag.
    """
    unescape = text_unescaper(
        options.charset, options.fallback_charset, options.normalize, plus_as_space=options.plus_as_space
    )
    decode = _decoder(unescape, "+" if options.plus_as_space else "%", is_utf8(options.charset))
    if options.all_fields:
        return each_event(_all_fields(decode), _touches(options))
    ref = options.field

    def urldecode(table: Table, rows: Rows, received_ns: int) -> Rows:
        values, put = table.values(ref), table.setter(ref)
        for row in rows:
            value = values[row]
            if value is not ABSENT and value is not None and (decoded := decode(value)) is not value:
                put(row, decoded)
        return rows

    return urldecode


def _all_fields(decode: Callable[[Any], Any]) -> FilterFn:
    def decode_all(event: Event) -> bool:
        change_fields(event, decode, ("@metadata",))
        return True

    return decode_all


def _decoder(text: Callable[[str], str], also: str, utf8: bool) -> Callable[[Any], Any]:
    """Return a function that decodes any value with ``text``; a value without escapes is returned unchanged."""
    cached = lru_cache(maxsize=_CACHED_TEXTS)(text)

    def decode(value: str) -> str:
        if "%" not in value and also not in value and (utf8 or value.isascii()):
            return value
        return cached(value) if len(value) <= _CACHED_CHARS else text(value)

    return on_texts(decode)
