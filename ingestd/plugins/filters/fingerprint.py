"""``fingerprint``: hash fields, for example to make a document id.

Follows https://www.elastic.co/docs/reference/logstash/plugins/plugins-filters-fingerprint and the plugin's version
3.5. Differences: a value that is not an IP address gets the failure tag, and ``PUNCTUATION`` accepts any value.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64encode
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any
from uuid import uuid4

from ingestd.event.fields import Event, FieldRef
from ingestd.event.table import ABSENT, Rows, Table
from ingestd.plugins.ecs import ecs_option, ecs_select
from ingestd.plugins.filters._each_event import each_event
from ingestd.plugins.filters._murmur3 import hash32, hash128
from ingestd.plugins.filters._ruby import to_i, to_s
from ingestd.plugins.filters._sources import held_values
from ingestd.plugins.filters._targets import target as checked
from ingestd.plugins.registry import BuildContext, ColumnsFn, Touch, filter_plugin, option

_METHODS = (
    "SHA1",
    "SHA256",
    "SHA384",
    "SHA512",
    "MD5",
    "MURMUR3",
    "MURMUR3_128",
    "IPV4_NETWORK",
    "UUID",
    "PUNCTUATION",
)
_SEED_128 = 2  # Logstash's
_MAX_PREFIX = 128

Hash = Callable[[Any], Any]
"""Returns the fingerprint of a value: text, or a number."""


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the filter ``fingerprint``."""

    source: list[str] = option(["message"], "Fields to hash; without `concatenate_sources` the last of them counts.")
    target: FieldRef | None = option(
        None, "Field for the fingerprint; default: `fingerprint`, or with ECS `[event][hash]`."
    )
    method: str = option(
        "SHA1",
        "Hash function. `IPV4_NETWORK`: the network of an address; `PUNCTUATION`: all characters but letters, digits"
        " and space are kept; `UUID`: a random UUID.",
        choices=_METHODS,
    )
    key: str | None = option(
        None, "Key of an HMAC, for `SHA1` to `SHA512` and `MD5`; for `IPV4_NETWORK` the length of the network prefix."
    )
    base64encode: bool = option(False, "Write the hash in Base64 instead of hexadecimal digits.")
    concatenate_sources: bool = option(False, "Hash the names and values of all source fields together.")
    concatenate_all_fields: bool = option(False, "Hash the names and values of all fields of the event together.")
    ecs_compatibility: str = ecs_option("With `v1` or `v8` the default target is `[event][hash]`.")


def _target(options: Options) -> FieldRef:
    if options.target is not None:
        return options.target
    return FieldRef(ecs_select(options, disabled="fingerprint", ecs="[event][hash]"))


def _hashes_event(options: Options) -> bool:
    return options.concatenate_all_fields and options.method not in ("UUID", "PUNCTUATION")


def _touches(options: Options) -> Touch:
    if _hashes_event(options):
        return Touch(unknown="fingerprint with concatenate_all_fields reads all fields")
    target = _target(options).text
    reads = () if options.method == "UUID" else (FieldRef(name).text for name in options.source)
    return Touch(reads=frozenset((target, *reads)), sets=frozenset({target}))


@filter_plugin("fingerprint", Options, touches=_touches, columns=True)
def build(options: Options, context: BuildContext) -> ColumnsFn:
    """Set a field to a hash of other fields.

    Of an array without `concatenate_sources`, each item is hashed. A hash is written as Ruby does, with its keys
    sorted: `{"a"=>1}`; so are the fields to concatenate: `|name|value|name|value|`. `MURMUR3` gives a number.
    """
    target = checked(_target(options))
    if options.method == "UUID":
        return _uuids(target)
    fingerprint = _method(options)
    if options.method == "PUNCTUATION":
        return _of_fields([FieldRef(name) for name in sorted(options.source)], target, fingerprint)
    if options.concatenate_all_fields:
        return each_event(_of_event(target, fingerprint), _touches(options))
    if options.concatenate_sources:
        return _of_concatenated(sorted(options.source), target, fingerprint)
    return _of_fields([FieldRef(name) for name in options.source], target, _of_items(fingerprint))


def _uuids(target: FieldRef) -> ColumnsFn:
    def uuids(table: Table, rows: Rows, received_ns: int) -> Rows:
        put = table.setter(target)
        for row in rows:
            put(row, str(uuid4()))
        return rows

    return uuids


def _of_fields(sources: list[FieldRef], target: FieldRef, fingerprint: Hash) -> ColumnsFn:
    """Return a filter that sets the target for each source in turn, so that the last one counts."""

    def of_fields(table: Table, rows: Rows, received_ns: int) -> Rows:
        for source in sources:
            values = [*held_values(table, source)]  # a copy, because the target may be the source
            put = table.setter(target)
            for row in rows:
                if (value := values[row]) is not ABSENT:
                    put(row, fingerprint(value))
        return rows

    return of_fields


def _of_items(fingerprint: Hash) -> Hash:
    def of_items(value: Any) -> Any:
        return [fingerprint(item) for item in value] if type(value) is list else fingerprint(value)

    return of_items


def _of_concatenated(names: list[str], target: FieldRef, fingerprint: Hash) -> ColumnsFn:
    refs = [FieldRef(name) for name in names]

    def of_concatenated(table: Table, rows: Rows, received_ns: int) -> Rows:
        columns = [table.pick(table.values(ref), rows) for ref in refs]
        prints = [fingerprint(_concatenated(zip(names, values, strict=True))) for values in zip(*columns, strict=True)]
        put = table.setter(target)
        for row, made in zip(rows, prints, strict=True):
            put(row, made)
        return rows

    return of_concatenated


def _of_event(target: FieldRef, fingerprint: Hash) -> Callable[[Event], bool]:
    def of_event(event: Event) -> bool:
        fields = ((name, event[name]) for name in sorted(event) if name != "@metadata")
        target.set(event, fingerprint(_concatenated(fields)))
        return True

    return of_event


def _concatenated(fields: Iterable[tuple[str, Any]]) -> str:
    return "".join([f"|{name}|{_text(value)}" for name, value in fields]) + "|"


def _text(value: Any) -> str:
    """Return a value as Ruby writes it, a hash with its keys in order."""
    if type(value) is str:
        return value
    return "" if value is ABSENT else to_s(_sorted(value))


def _sorted(value: Any) -> Any:
    if type(value) is dict:
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(item) for item in value] if type(value) is list else value


def _bytes(value: Any) -> bytes:
    return _text(value).encode("utf-8", "replace")


def _method(options: Options) -> Hash:
    """Return the function of a value that ``method`` names; not ``UUID``, which needs none.

    Raises:
        ValueError: The key is missing or invalid.
    """
    if options.method == "PUNCTUATION":
        return _punctuation()
    if options.method == "IPV4_NETWORK":
        return _network(options)
    if options.method == "MURMUR3":
        return _murmur3
    written = _base64 if options.base64encode else bytes.hex
    if options.method == "MURMUR3_128":
        return lambda value: written(_murmur3_128(value))
    name = options.method.lower()
    if options.key is None:
        return lambda value: written(hashlib.new(name, _bytes(value), usedforsecurity=False).digest())
    key = options.key.encode()
    return lambda value: written(hmac.digest(key, _bytes(value), name))


def _base64(digest: bytes) -> str:
    return b64encode(digest).decode()


def _murmur3(value: Any) -> int:
    return hash32((value & 0xFFFFFFFFFFFFFFFF).to_bytes(8, "little") if type(value) is int else _bytes(value))


def _murmur3_128(value: Any) -> bytes:
    if type(value) is not int:
        return hash128(_bytes(value), _SEED_128)
    size = 4 if -(2**31) <= value < 2**31 else 8
    return hash128((value & (1 << 8 * size) - 1).to_bytes(size, "little"), _SEED_128)


def _network(options: Options) -> Hash:
    if options.concatenate_sources or options.concatenate_all_fields:
        raise ValueError("the method IPV4_NETWORK needs the address alone, without the names of fields")
    if options.key is None:
        raise ValueError("the method IPV4_NETWORK needs the option key, the length of the network prefix")
    prefix = to_i(options.key)
    if not 0 <= prefix <= _MAX_PREFIX:
        raise ValueError(f"key must be the length of a network prefix, 0 to {_MAX_PREFIX}, not {options.key!r}")

    def network(value: Any) -> str:
        if type(value) is not str:
            raise ValueError(f"{value!r} is not an IP address")
        return str(ip_network(f"{value.partition('/')[0]}/{prefix}", strict=False).network_address)

    return network


def _punctuation() -> Hash:
    import regex  # noqa: PLC0415 -- only if a config needs it

    keep = regex.compile(r"[^\p{P}\p{S}]+")
    return lambda value: keep.sub("", _text(value))
