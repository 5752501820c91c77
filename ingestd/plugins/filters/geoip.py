"""``geoip``: look up the location of an IP address in a database in MaxMind DB format.

Follows https://www.elastic.co/docs/reference/logstash/plugins/plugins-filters-geoip and the plugin's version 7.3.
Differences: no database is bundled (``ingestd geoip install`` installs one); host names are not resolved; an IPv6
address is written in its short form; the cache keeps the most recently used addresses.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from time import monotonic

from ingestd.event.fields import FieldRef
from ingestd.event.table import ABSENT, Rows, Table
from ingestd.geoip.address import MAX_CHARS, parse_address
from ingestd.geoip.database import MISSING_PACKAGE, DatabaseError, WatchedDatabase
from ingestd.geoip.database_folder import database_file
from ingestd.geoip.fields import extractor, field_names
from ingestd.logs import get_logger
from ingestd.plugins.ecs import ecs_option, uses_ecs
from ingestd.plugins.filters._targets import target as checked
from ingestd.plugins.filters._trees import Tree, copier, with_tree
from ingestd.plugins.registry import (
    BuildContext,
    ColumnsFn,
    OptionError,
    Touch,
    filter_plugin,
    option,
    replaced,
    required,
)

log = get_logger(__name__)

_USES = {"City": "location", "ASN": "asn"}

CHECK_S = 5.0
"""How often to check the database file for changes, in seconds."""

Find = Callable[[str], Callable[[], Tree] | None]
"""Finds an address and returns a function that makes a new tree of its fields, None if it is not found."""


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the filter ``geoip``."""

    source: FieldRef = required("Field with the IP address; of an array, the first item.")
    target: FieldRef | None = option(
        None, "Field for the result; default: `geoip`, or with ECS the parent of a source such as `[client][ip]`."
    )
    database: str | None = option(None, "Path of the database; default: the one of `ingestd geoip install`.")
    default_database_type: str = option(
        "City", "Which installed database to use: `City` (or a country database), or `ASN`.", choices=("City", "ASN")
    )
    fields: list[str] = option([], "Fields to set; default: those that Logstash sets from such a database.")
    ecs_compatibility: str = ecs_option(
        "Layout of the fields: flat, or with `v1` or `v8` that of the Elastic Common Schema."
    )
    tag_on_failure: list[str] = option(["_geoip_lookup_failure"], "Tags for an event whose address is not found.")
    cache_size: int = option(1000, "How many addresses to cache.")


def _target(options: Options) -> FieldRef | None:
    """Return the field for the result, None if the options do not determine it."""
    if options.target is not None:
        return options.target
    if not uses_ecs(options):
        return FieldRef("geoip")
    path = options.source.path
    return FieldRef("".join(f"[{part}]" for part in path[:-1])) if len(path) > 1 and path[-1] == "ip" else None


def _touches(options: Options) -> Touch:
    target = _target(options)
    result = frozenset() if target is None else frozenset({target.text})
    tags = frozenset({"tags"}) if options.tag_on_failure else frozenset()
    return Touch(reads=result | {options.source.text}, sets=result | tags)


_INSTALL = "leave the option out, and install a database with `ingestd geoip install`"
_LEGACY = {"lru_cache_size": replaced("cache_size")}


@filter_plugin("geoip", Options, touches=_touches, columns=True, legacy=_LEGACY)
def build(options: Options, context: BuildContext) -> ColumnsFn:
    """Set the location of an IP address: country, city, coordinates, or the owner of the network.

    An event whose address is invalid or not in the database (a private one, say) gets the tags of `tag_on_failure`
    and an empty target; an event without the source only gets the tags. A replaced database is opened within
    seconds. Without `database`, and until one is installed, nothing is found.
    """
    target = _target(options)
    if target is None:
        raise ValueError("the option target is needed unless the source ends in [ip], such as [client][ip]")
    lookups = _Lookups(options, context)
    find, next_check = lookups.find, 0.0
    source, destination, tags = options.source, checked(target), options.tag_on_failure

    def geoip(table: Table, rows: Rows, received_ns: int) -> Rows:
        nonlocal find, next_check
        if (now := monotonic()) >= next_check:
            find, next_check = lookups.check(), now + CHECK_S
        if find is None and not tags:
            return ()
        values, old, put, passed = table.values(source), table.values(destination), table.setter(destination), []
        for row in rows:
            value = values[row]
            if type(value) is list:
                value = value[0] if value else None
            make = None
            if find is not None and type(value) is str:
                make = find(value) if len(value) <= MAX_CHARS else None
                if make is not None:
                    put(row, with_tree(old[row], make(), str(destination)))
                    passed.append(row)
                    continue
                if value.strip() and (old[row] is ABSENT or old[row] is None):
                    put(row, {})
            for tag in tags:
                table.add_tag(row, tag)
        return passed

    return geoip


@cache
def _notice() -> int:
    """Return a pipe with one byte. Whichever process of a daemon reads it first says that there is no database.

    The supervisor, which compiles each config, makes it; its workers inherit it, those of a reload, too.
    """
    reader, writer = os.pipe()
    os.write(writer, b"1")
    os.close(writer)
    return reader


class _Lookups:
    """The database, with a cache of lookups."""

    def __init__(self, options: Options, context: BuildContext) -> None:
        if options.cache_size < 1:
            raise ValueError("cache_size must be at least 1")
        self._names = field_names(options.fields)
        self._ecs, self._cache_size = uses_ecs(options), options.cache_size
        installed = database_file(context.settings.data_dir, _USES[options.default_database_type])
        path = installed if options.database is None else context.folder / Path(options.database)
        try:
            self._database = WatchedDatabase(path, required=options.database is not None)
        except DatabaseError as error:
            hint = "" if str(error) == MISSING_PACKAGE else _INSTALL
            raise OptionError(str(error), options.database or "", hint) from None
        self._unnoticed: int | None = _notice()
        self.find = self._make_find()

    def check(self) -> Find | None:
        """Return the lookup in the current database, None if there is none."""
        if self._database.refresh():
            self.find = self._make_find()
        if self.find is None and self._unnoticed is not None:
            first, self._unnoticed = bool(os.read(self._unnoticed, 1)), None
            if first:
                log.info("no geoip database is installed, see ingestd geoip install", folder=self._database.path.parent)
        return self.find

    def _make_find(self) -> Find | None:
        database = self._database.current
        if database is None:
            return None
        extract = extractor(database.metadata.type, self._names, ecs=self._ecs)

        @lru_cache(self._cache_size)
        def find(text: str) -> Callable[[], Tree] | None:
            address = parse_address(text)
            record = None if address is None else database.find(address)
            tree = None if record is None else extract(record)
            return None if tree is None else copier(tree)

        return find
