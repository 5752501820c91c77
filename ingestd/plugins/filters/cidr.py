"""``cidr``: check whether addresses are in networks; the common options then mark the event.

Follows https://www.elastic.co/docs/reference/logstash/plugins/plugins-filters-cidr and the plugin's version 3.2.
Differences: a network without fields that is invalid is reported when the config is checked; IPv4 addresses in IPv6
form (``::ffff:1.2.3.4``) are IPv4 addresses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from ingestd.event.fields import FieldRef
from ingestd.event.sprintf import Template, render_rows
from ingestd.event.table import ABSENT, Rows, Table
from ingestd.geoip.address import parse_address
from ingestd.logs import get_logger
from ingestd.plugins.filters._networks import NetworkSet, parse_network
from ingestd.plugins.filters._watched_files import ReloadedFile
from ingestd.plugins.registry import BuildContext, ColumnsFn, OptionWarning, Touch, filter_plugin, option

log = get_logger(__name__)

_Addresses = Callable[[Table, Rows], list[list[Any]]]
_Networks = Callable[[Table, Rows], Iterable[NetworkSet]]
"""Return for each row the texts that may be addresses, and the networks."""

_CACHED = 4096
_MAX_CHARS = 64  # of an address
_MAX_LIST = 1024  # characters of a list of networks in an event; the rest is ignored


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the filter ``cidr``."""

    address: list[Template] = option([], "Addresses to check, such as `%{client}`.")
    address_field: FieldRef | None = option(None, "Field with an address, or with an array of addresses to check.")
    network: list[Template] = option(
        [], "Networks, such as `10.0.0.0/8`, or several separated by commas; may contain `%{field}`."
    )
    network_path: str | None = option(None, "Path of a file with networks.")
    separator: str = option("\n", "Text between the networks in the file; default: the end of a line.")
    refresh_interval: float = option(600.0, "How often to check the file for changes, in seconds; 0: never.")


def _touches(options: Options) -> Touch:
    reads = frozenset().union(*(template.reads for template in (*options.address, *options.network)))
    return Touch(reads=reads if options.address_field is None else reads | {options.address_field.text})


def _warnings(options: Options) -> Iterator[OptionWarning]:
    for template in options.network:
        for text in () if template.static is None else template.static.split(","):
            if parse_network(text) is None:
                yield OptionWarning("network", f"{text!r} is not a network", "write 10.0.0.0/8", value=template.text)


@filter_plugin("cidr", Options, touches=_touches, option_warnings=_warnings, columns=True)
def build(options: Options, context: BuildContext) -> ColumnsFn:
    """Check whether one of the addresses is in one of the networks; only then the common options run.

    What is not an address or network is skipped.
    """
    if options.address and options.address_field is not None:
        raise ValueError("set either address or address_field, not both")
    if options.network and options.network_path is not None:
        raise ValueError("set either network or network_path, not both")
    if not options.separator:
        raise ValueError("separator must not be empty")
    addresses, networks = _addresses(options), _networks(options, context)
    parse = lru_cache(_CACHED)(parse_address)

    def contained(texts: list[Any], networks: NetworkSet) -> bool:
        found = (parse(text) for text in texts if type(text) is str and len(text) <= _MAX_CHARS)
        return any(address in networks for address in found if address is not None)

    def cidr(table: Table, rows: Rows, received_ns: int) -> Rows:
        checked = zip(rows, addresses(table, rows), networks(table, rows), strict=True)
        return [row for row, texts, blocks in checked if contained(texts, blocks)]

    return cidr


def _addresses(options: Options) -> _Addresses:
    field = options.address_field
    if field is not None:
        return lambda table, rows: [_items(value) for value in table.pick(table.values(field), rows)]
    templates = options.address
    if not templates:
        return lambda table, rows: [[] for _ in rows]
    return lambda table, rows: [[*texts] for texts in zip(*_rendered(templates, table, rows), strict=True)]


def _items(value: Any) -> list[Any]:
    return value if type(value) is list else [] if value is ABSENT else [value]


def _rendered(templates: list[Template], table: Table, rows: Rows) -> list[list[str]]:
    return [render_rows(template, table, rows) for template in templates]


def _networks(options: Options, context: BuildContext) -> _Networks:
    if options.network_path is not None:
        return _from_file(context.folder / Path(options.network_path), options)
    if all(template.static is not None for template in options.network):
        fixed = NetworkSet(_parsed(template.text for template in options.network))
        return lambda table, rows: [fixed] * len(rows)

    @lru_cache(_CACHED)
    def parsed(*texts: str) -> NetworkSet:
        return NetworkSet(_parsed(texts))

    return lambda table, rows: [
        parsed(*(text[:_MAX_LIST] for text in texts))
        for texts in zip(*_rendered(options.network, table, rows), strict=True)
    ]


def _parsed(lists: Iterable[str]) -> list[Any]:
    found = (parse_network(text) for texts in lists for text in texts.split(","))
    return [network for network in found if network is not None]


def _from_file(path: Path, options: Options) -> _Networks:
    separator = options.separator

    def read(path: Path, old: NetworkSet | None) -> NetworkSet:
        try:
            texts = [text for text in path.read_text("utf-8-sig").split(separator) if text.strip()]
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"cannot read {path}: {error}") from None
        networks = [network for text in texts if (network := parse_network(text)) is not None]
        if not networks:
            raise ValueError(f"{path} has no network; check the separator {separator!r}")
        if len(networks) < len(texts):
            log.warning("lines of a file are not networks and are ignored", path=path, count=len(texts) - len(networks))
        return NetworkSet(networks)

    watched = ReloadedFile(path, read, options.refresh_interval)
    return lambda table, rows: [watched.current()] * len(rows)
